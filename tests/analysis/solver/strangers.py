"""Is a policy public? Asked by strangers: principals that it does not name, with values that are nobody's but a stranger's.

A stranger's account is 666666666666, its organization `o-stranger`; what a policy says is made a stranger's by putting these in the places
of wildcards, or of all that stands there. Where such a request is granted, the policy is public; that a stranger has such a value is told
here in a few lines of its own, and not by `exposure`. Documents come from a seed and ask for the keys that a policy may trust.
"""

import ipaddress
import itertools
import json
import re
from collections.abc import Iterator
from random import Random

from sekisho import policy
from sekisho.analysis.solver import Answer, PolicyType, Witness, public, questions, witnesses
from tests.analysis.solver import callers, odd_values, pairs
from tests.analysis.solver.probes import VARIABLE
from tests.policy.gen_conditions import STRING

ACCOUNT, ORGANIZATION = "666666666666", "o-stranger"
MILLISECONDS = 5_000
KEYS = {
    "aws:SourceArn": "arn",
    "aws:PrincipalArn": "arn of a principal",
    "aws:SourceVpcArn": "arn",
    "aws:PrincipalOrgPaths": "paths",
    "aws:SourceIp": "ip",
    "aws:VpcSourceIp": "ip",
    "aws:SourceAccount": "account",
    "aws:PrincipalAccount": "account",
    "aws:PrincipalOrgID": "organization",
    "aws:SourceVpc": "network",
    "aws:userid": "user",
}
VALUES = {
    "paths": ("o-1/*", "o-1/r-2/ou-3/", "o-*/r-2/*", "*", "o-?/*", "o-1*"),
    "organization": ("o-1", "o-*", "o-?", "${aws:ResourceOrgID}", "*"),
    "network": ("vpc-1", "vpc-*", "vpc-?", "*"),
    "user": ("AROAEXAMPLEEXAMPLE234:*", "AROAEXAMPLEEXAMPLE234:app", "A*:app", "*:app", "AIDAEXAMPLEEXAMPLE234", "aroa:*"),
}
RUN_OVER = (
    *("arn:aws:sns:*:111122223333:orders", "arn:aws:sns:*:111122223333:*", "arn:aws:s3:*111122223333:b", "arn:aws:sns:?*:111122223333:x"),
    *("arn:aws:sns:eu-west-1:111122223333:*", "arn:aws:lambda:*:111122223333:function:f", "arn:aws:sns:e*t-1:111122223333:orders"),
)
"""ARNs of which StringLike has the wildcards run over the account, and some of which it does not."""
_EVERYBODY = {"Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
_PRINCIPALS = (
    policy.Principal("user", f"arn:aws:iam::{ACCOUNT}:user/mallory", ACCOUNT),
    policy.Principal("role", f"arn:aws:iam::{ACCOUNT}:role/app", ACCOUNT, role_arn=f"arn:aws:iam::{ACCOUNT}:role/app"),
    policy.Principal("role", f"arn:aws:iam::{ACCOUNT}:role/a:b/app", ACCOUNT, role_arn=f"arn:aws:iam::{ACCOUNT}:role/a:b/app"),
    policy.Principal("assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/x", ACCOUNT, role_arn=f"arn:aws:iam::{ACCOUNT}:role/app"),
    policy.Principal("anonymous", "", ""),
)
_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:([^:]*):", re.DOTALL)


def document(seed: int) -> str:
    """A resource's policy for everybody, or nearly, under conditions on keys that it may trust."""
    rng = Random(f"strangers {seed}")
    alone = Random(f"alone {seed}")
    if alone.random() < 0.1:  # one condition that nothing stands beside, with wildcards where the account is
        written = {
            alone.choice(("StringLike", "ForAnyValue:StringLike")): {"aws:SourceArn": alone.sample(RUN_OVER, alone.choice((1, 1, 2)))}
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [{**_EVERYBODY, "Effect": "Allow", "Condition": written}]})
    while True:
        statements = []
        for effect in ["Allow", *rng.choices(("Allow", "Deny"), k=rng.choice((0, 0, 1)))]:
            block: dict[str, dict[str, object]] = {}
            for key in rng.sample(list(KEYS), rng.choice((1, 1, 2))):
                family = KEYS[key]
                names = odd_values.OPERATORS.get(family, STRING)
                operator = rng.choice(("", "", "ForAnyValue:", "ForAllValues:")) + rng.choice(names) + rng.choice(("", "", "IfExists"))
                pool = VALUES.get(family) or odd_values.of_operator(operator, family)
                found = [rng.choice(pool) for _ in range(rng.choice((1, 1, 2)))]
                if key.endswith("Arn") and "String" in operator and rng.random() < 0.7:
                    wild = "Like" in operator and rng.random() < 0.6
                    found = [rng.choice(RUN_OVER if wild else odd_values.VALUES[family]) for _ in found]
                block.setdefault(operator, {})[key] = found
            statements.append({**_EVERYBODY, "Effect": effect, "Condition": block})
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        if pairs.is_valid(pairs.Pair(text, text, PolicyType.RESOURCE)):
            return text


def requests(text: str) -> Iterator[Witness]:
    """Requests of strangers, with the values that they can have."""
    asked: dict[str, list[tuple[str, str]]] = {}
    for statement in json.loads(text)["Statement"]:
        for operator, block in statement.get("Condition", {}).items():
            for key, values in block.items():
                listed = values if isinstance(values, list) else [values]
                asked.setdefault(key, []).extend((operator, value) for value in listed)
        for key, _ in VARIABLE.findall(json.dumps(statement)):
            asked.setdefault(key, [])
    names = [
        name for name in asked if name.lower() not in ("aws:principalarn", "aws:principalaccount", "aws:username", "aws:principaltype")
    ]
    pools = [_values(name, asked[name]) for name in names]
    resources = _resources(json.loads(text)["Statement"])
    for principal, values in itertools.product(_PRINCIPALS, itertools.product(*(pool[:24] for pool in pools))):
        outside = principal.kind == "anonymous"
        context = {name.lower(): value for name, value in zip(names, values, strict=True) if value is not None}
        if outside and any(name.startswith(("aws:principal", "aws:userid")) for name in context):
            continue
        if not outside and "aws:userid" in map(str.lower, names) and "aws:userid" not in context:
            continue
        if principal.kind == "user":
            context["aws:username"] = "mallory"
        said = context.get("aws:userid")
        asks = callers.called(principal, said) if isinstance(said, str) else principal
        for resource in resources if asks is not None else ():
            assert asks is not None
            yield Witness(asks, "s3:GetObject", resource, context)


def _resources(statements: list[dict[str, object]]) -> list[str]:
    """What statements are about: a document by hand may name any bucket."""
    written = [one.get("Resource", "*") for one in statements]
    listed = [text for one in written for text in (one if isinstance(one, list) else [one])]
    return list(dict.fromkeys("arn:aws:s3:::data/f" if text == "*" else str(text).replace("*", "f") for text in listed))


def _values(name: str, asked: list[tuple[str, str]]) -> list[str | tuple[str, ...] | None]:
    """What a stranger can say for a key."""
    family, written = KEYS.get(name, "text"), [value for _, value in asked]
    found: list[str] = []
    for value in written:
        for star in ("", "x", ACCOUNT, ORGANIZATION, f"eu-west-1:{ACCOUNT}:a", f"x:{ACCOUNT}:y", f":{ACCOUNT}:y:", f"ast-1:{ACCOUNT}:eas"):
            found.append(value.replace("*", star).replace("?", star[:1] or "x"))
            found.append(value.replace("*", star).replace("?", ":"))
    if family.startswith("arn"):
        found = [one for one in found if (arn := _ARN.match(one)) and arn[1] == ACCOUNT] + [f"arn:aws:s3:::b:{ACCOUNT}", "alice", ""]
        found = [one for one in found if one not in written]
    elif family == "paths":
        found = [one for one in found if one.startswith(ORGANIZATION)] + [f"{ORGANIZATION}/r-1/"]
    elif family == "ip":
        ranges = [network for value in written if (network := _narrow(value)) is not None]
        found = [one for one in _ADDRESSES if not any(_is_in(one, network) for network in ranges)]
    elif family in ("account", "organization", "network"):
        found = [{"account": ACCOUNT, "organization": ORGANIZATION, "network": "vpc-stranger"}[family]]
    elif family == "user":
        found = ["AROASTRANGER:app", "AIDASTRANGER", "AROASTRANGER:somebody"]
    else:
        found = ["", "x", "111122223333"]
    single = list(dict.fromkeys(found))
    if name == "aws:PrincipalOrgPaths":
        return [None, (), *((one,) for one in single)]
    return [*single, None]


_ADDRESSES = (
    "198.51.100.7",
    "8.8.8.8",
    "130.0.0.1",
    "0.0.0.1",
    "2001:db9::1",
    "2001:db8:8000::1",
    "9000::1",
    "::fffe:1:1",
    "::1:2:3:4",
    "nowhere",
)
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _narrow(value: str) -> _Network | None:
    """A range that is somebody's: at least 8 bits of an IPv4 address are told, or 32 of another."""
    network = ipaddress.ip_network(value, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        network = ipaddress.IPv4Network((int(network.network_address.ipv4_mapped), network.prefixlen - 96))
    return network if network.prefixlen >= (8 if network.version == 4 else 32) else None


def _is_in(value: str, network: _Network) -> bool:
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


def difference(seed: int) -> str:
    """What is wrong with the answer to the document of a seed, `""` for nothing."""
    found = difference_of(document(seed))
    return f"stranger {seed}: {found}" if found else ""


def difference_of(text: str) -> str:
    """The same of a document."""
    if public(text, milliseconds=MILLISECONDS).answer is not Answer.NO:
        return ""
    program = questions.read(text, PolicyType.RESOURCE)
    for request in requests(text):
        if witnesses.is_granted(program, request, of_resource=True):
            return f"not public, it says, but {request} is granted\n{text}"
    return ""
