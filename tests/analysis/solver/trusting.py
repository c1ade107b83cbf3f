"""Resources' policies that say whom they let in, at the edges of what is plain, and who comes from beyond a zone to try them.

A document is a list of Allows, now and then beside a Deny, that mix principals of the zone with others under conditions on keys that say
who is behind a request. An outsider is a principal of no account of the zone, whose keys name none of the zone's accounts nor its
organization; that is told here in a few lines of its own, and not by `exposure`.
"""

import itertools
import json
from collections.abc import Iterator
from random import Random

from sekisho import policy
from sekisho.analysis.solver import Grant, PolicyType, Witness, Zone, external, plain, questions, witnesses
from tests.analysis.solver import odd_values, pairs
from tests.analysis.solver.pairs import Doc

OWNER, OTHER, STRANGER = "111122223333", "444455556666", "666666666666"
MILLISECONDS = 5_000
BUCKET = "arn:aws:s3:::data"
ROLE = f"arn:aws:iam::{OWNER}:role/reader"
_ACCOUNTS = (OWNER, OTHER, "1111*", f"{OWNER[:-1]}?", "*", "", f"{OWNER}*", "${*}", "${aws:PrincipalAccount}", "${aws:ResourceAccount}")
_ORGANIZATIONS = ("o-1", "o-2", "O-1", "o-*", "o-${*}", "", "${aws:ResourceOrgID}")
_KEYS: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("aws:SourceAccount", "aws:SourceOwner", "aws:VpceAccount", "kms:CallerAccount"), _ACCOUNTS),
    **dict.fromkeys(("aws:PrincipalOrgID", "aws:SourceOrgID", "aws:VpceOrgID"), _ORGANIZATIONS),
    "aws:PrincipalOrgPaths": ("o-1/*", "o-1/r-2/ou-3/", "o-2/*", "*"),
    "aws:SourceArn": (f"arn:aws:sns:us-east-1:{OWNER}:t", f"arn:aws:sns:*:{OTHER}:t", "arn:aws:s3:::b", "*"),
    "aws:PrincipalArn": (f"arn:aws:iam::{OWNER}:role/app", f"arn:aws:iam::{OTHER}:*", "*"),
    "aws:PrincipalAccount": (OWNER, OTHER, "anonymous"),
    "aws:SourceIp": ("203.0.113.0/24", "0.0.0.0/1", "::ffff:0:0/96", "2001:db8::/32"),
    "aws:VpcSourceIp": ("10.0.0.0/8", "0.0.0.0/0"),
    "aws:SourceVpc": ("vpc-1", "vpc-*", "vpc-${*}"),
    "aws:SecureTransport": ("true", "false", "TRUE"),
    "aws:MultiFactorAuthPresent": ("true", "false"),
    "sts:ExternalId": ("x", "y*", "${*}", ""),
    "a:b": ("a*", "${aws:username}", "b"),
}
_FAMILIES = {"aws:SourceIp": "ip", "aws:VpcSourceIp": "ip", "aws:SecureTransport": "bool", "aws:MultiFactorAuthPresent": "bool"}
_NAMES = {
    **odd_values.PRINCIPALS,
    "AWS": (
        *odd_values.PRINCIPALS["AWS"],
        *(f"arn:aws-cn:iam::{OTHER}:root", f"arn:aws:iam::{OTHER}:user/bob", f"arn:aws:sts::{OTHER}:assumed-role/app/sess"),
        *(
            f"arn:aws:sts::{OTHER}:assumed-role/app",
            f"arn:aws:sts::{OTHER}:assumed-role/app/a/b",
            f"arn:aws:sts::{OTHER}:federated-user/kim",
        ),
        *(f"arn:aws:iam::{OTHER}:role/p/app", f"arn:aws:sts::{OTHER}:assumed-role/app/s"),
    ),
    "Federated": (*odd_values.PRINCIPALS["Federated"], f"arn:aws:iam::{OTHER}:saml-provider/idp"),
}


def document(seed: int) -> tuple[str, Zone, str]:
    """A document, a zone, and the resource that it is attached to."""
    rng = Random(f"trusting {seed}")
    while True:
        trust = rng.random() < 0.4
        statements = [
            _statement(rng, "Deny" if i and rng.random() < 0.15 else "Allow", trust=trust) for i in range(rng.choice((1, 1, 1, 2)))
        ]
        version = "2008-10-17" if rng.random() < 0.08 else "2012-10-17"
        text = json.dumps({"Version": version, "Statement": statements})
        if pairs.is_valid(pairs.Pair(text, text, PolicyType.RESOURCE)):
            zone = Zone(frozenset((rng.choice((OWNER, OWNER, OTHER)),)), rng.choice(("", "o-1")), rng.choice(((), (), ("o-1/r-2/",))))
            return text, zone, ROLE if trust else BUCKET


def _statement(rng: Random, effect: str, *, trust: bool) -> Doc:
    made: Doc = {"Effect": effect, ("NotPrincipal" if rng.random() < 0.03 else "Principal"): _principals(rng)}
    pool = ("sts:AssumeRole", "sts:*", "sts:TagSession") if trust else ("s3:GetObject", "s3:Get*", "*", "s3:G?tObject", "s3:PutObject")
    made["NotAction" if rng.random() < 0.03 else "Action"] = rng.sample(pool, rng.choice((1, 1, 2)))
    if not trust:
        resources = (f"{BUCKET}/*", BUCKET, "*", "arn:aws:s3:::else/*", f"{BUCKET}/${{aws:username}}/*", f"{BUCKET}/x")
        made["NotResource" if rng.random() < 0.08 else "Resource"] = rng.sample(resources, rng.choice((1, 1, 2)))
    block: Doc = {}
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2))):
        key = rng.choice(list(_KEYS))
        usual = ("StringEquals", "StringEquals", "StringLike")
        operator = rng.choice(odd_values.OPERATORS[_FAMILIES[key]] if key in _FAMILIES else usual)
        if rng.random() < 0.2 and key not in _FAMILIES:
            operator = rng.choice((*odd_values.OPERATORS["text"], "ArnLike", "ArnEquals"))
        if rng.random() < 0.15:
            operator = f"{rng.choice(('', 'ForAnyValue:', 'ForAllValues:'))}{operator}{rng.choice(('', 'IfExists'))}"
        values = rng.sample(_KEYS[key], min(len(_KEYS[key]), rng.choice((1, 1, 2, 3))))
        written = rng.choice((key, key, key, key.upper(), key.lower()))
        block.setdefault(operator, {})[written] = [] if rng.random() < 0.02 else values[0] if len(values) == 1 else values
    if block:
        made["Condition"] = block
    return made


def _principals(rng: Random) -> object:
    if rng.random() < 0.35:
        return rng.choice(("*", {"AWS": "*"}, {"AWS": ["*", OWNER]}, {"AWS": ["*"], "Service": "s3.amazonaws.com"}))
    found: dict[str, list[str]] = {}
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.choices(list(_NAMES), (10, 1, 2, 1))[0]
        found.setdefault(kind, []).append(rng.choice(_NAMES[kind]))
    return found


def requests(text: str, zone: Zone, resource: str) -> Iterator[Witness]:
    """What outsiders of a zone ask of a resource, with the values that they can have."""
    inside = {*zone.accounts, OWNER}
    document = json.loads(text)
    asked: dict[str, list[str]] = {}
    for one in document["Statement"]:
        for block in one.get("Condition", {}).values():
            for key, values in block.items():
                asked.setdefault(key.lower(), []).extend(values if isinstance(values, list) else [values])
    names = [name for name in asked if name not in ("aws:principalarn", "aws:principalaccount")]
    pools = [_values(name, asked[name], inside, zone) for name in names]
    for principal, values in itertools.product(_outsiders(document, inside), itertools.product(*(pool[:9] for pool in pools))):
        context = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if principal.kind in ("anonymous", "federated") and any(name.startswith("aws:principal") for name in context):
            continue
        if principal.kind == "user":
            context["aws:username"] = principal.arn.rpartition("/")[2]
        for at in (resource, f"{resource}/x", f"{resource}/bob/f") if resource == BUCKET else (resource,):
            for action in ("s3:GetObject", "s3:PutObject") if resource == BUCKET else ("sts:AssumeRole", "sts:TagSession"):
                yield Witness(principal, action, at, context)


def missed(text: str, zone: Zone, resource: str, told: set[int], most: int = 600) -> str:
    """A request from beyond a zone that a statement grants of which nothing is told, `""` for none."""
    program = questions.read(text, PolicyType.RESOURCE)
    for request in itertools.islice(requests(text, zone, resource), most):
        if witnesses.is_granted(program, request, of_resource=True):
            for statement in witnesses.granting(program, request, of_resource=True):
                if statement not in told:
                    return f"statement {statement} grants {request}"
    return ""


def difference(seed: int) -> str:
    """What is wrong with the answers to the document of a seed, `""` for nothing."""
    text, zone, resource = document(seed)
    searched = external(text, resource, OWNER, zone, milliseconds=MILLISECONDS)
    found = plain.external(text, resource, OWNER, zone)
    if found is not None and _shown(found) != _shown(searched):
        return f"trusting {seed}: plainly {found}, but {searched} is found\n{text}\n{zone}"
    wrong = missed(text, zone, resource, {grant.statement for grant in searched})
    return f"trusting {seed}: {wrong}\n{text}\n{zone}" if wrong else ""


def _shown(found: tuple[Grant, ...]) -> list[tuple[object, ...]]:
    return [(grant.principal, grant.actions, grant.condition, grant.is_public, grant.statement) for grant in found]


def _outsiders(document: Doc, inside: set[str]) -> Iterator[policy.Principal]:
    for account in {STRANGER, OTHER, OWNER} - inside:
        for name in ("bob", "alice", "p/alice"):
            yield policy.Principal("user", f"arn:aws:iam::{account}:user/{name}", account)
        for path in ("", "p/", "a:b/"):
            role = f"arn:aws:iam::{account}:role/{path}app"
            yield policy.Principal("assumed-role", f"arn:aws:sts::{account}:assumed-role/app/sess", account, role_arn=role)
        yield policy.Principal("federated-user", f"arn:aws:sts::{account}:federated-user/kim", account)
        role = f"arn:aws-cn:iam::{account}:role/app"
        yield policy.Principal("assumed-role", f"arn:aws-cn:sts::{account}:assumed-role/app/sess", account, role_arn=role)
    for one in document["Statement"]:
        for kind, names in one["Principal"].items() if isinstance(one.get("Principal"), dict) else ():
            for name in names if isinstance(names, list) else [names]:
                stranger = f"arn:aws:iam::{STRANGER}:user/bob"
                if kind == "Federated":
                    yield policy.Principal("federated", name, "", provider=name)
                if kind == "CanonicalUser":
                    yield policy.Principal("user", stranger, STRANGER, canonical=name)
                if kind == "AWS" and ":" not in name and not name.isdigit():
                    yield policy.Principal("user", stranger, STRANGER, unique_id=name)
    yield policy.Principal("anonymous", "", "")


def _values(name: str, written: list[str], inside: set[str], zone: Zone) -> list[str | tuple[str, ...] | None]:
    """What somebody beyond the zone can say for a key."""
    found = [str(one).replace("${*}", "*") for one in written]
    found += [one.replace("*", filling).replace("?", "7") for one in found for filling in ("x", STRANGER) if "*" in one or "?" in one]
    if name in ("aws:sourceaccount", "aws:sourceowner", "aws:vpceaccount", "kms:calleraccount"):
        found = [STRANGER, *(one for one in found if one not in inside)]
    elif name.endswith("orgid"):
        found = ["o-stranger", *(one for one in found if one != zone.organization_id)]
    elif name == "aws:principalorgpaths":
        starts = [*zone.paths, *([f"{zone.organization_id}/"] if zone.organization_id else [])]
        return [("o-3/r-1/",), None, *((one,) for one in found if not one.startswith(tuple(starts)))]
    elif name == "aws:sourcearn":
        found = [f"arn:aws:sns:us-east-1:{STRANGER}:t", *(one for one in found if not any(f":{account}:" in one for account in inside))]
    elif name.endswith("sourceip"):
        found = ["203.0.113.7", "8.8.8.8", "130.0.0.1", "10.1.2.3", "2001:db8::1", "9000::1"]
    return [*dict.fromkeys(found), None]
