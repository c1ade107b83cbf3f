"""Parts of requests that come near to what policies write: actions, resources, principals and values of keys."""

import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation

from sekisho import policy
from tests.analysis.solver import odd_values

Value = str | tuple[str, ...]
Fill = Callable[[str], list[str]]  # values of a key that stands in a text as a variable

USUAL = {
    "aws:username": ("alice", "k", "a.b@c"),
    "aws:principalaccount": ("111122223333", "444455556666"),
    "aws:principaltype": ("User", "AssumedRole"),
    "aws:principalarn": ("arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/a:b/app"),
    "aws:resourceaccount": ("111122223333", "444455556666"),
}
_VARIABLE = re.compile(r"\$\{([^},']+?)\s*(?:,\s*'[^']*'\s*)?\}")
_ACTION = re.compile(r"[a-z0-9_.-]+:[a-z0-9_.-]+")
_NAME = r"[\w+=,.@-]+"
_PRINCIPAL = re.compile(
    rf"arn:aws[a-z-]*:(?:iam::[0-9]{{12}}:(?:root|(?:user|role)/(?:.*/)?{_NAME})|sts::[0-9]{{12}}:federated-user/{_NAME})", re.ASCII
)
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_CANONICAL = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"


def near(text: str) -> Iterator[str]:
    """The text, and texts that are nearly it."""
    yield text
    if not text:
        yield "x"
        return
    middle = len(text) // 2
    for at in {0, middle, len(text) - 1}:
        yield text[:at] + ("b" if text[at] == "a" else "a") + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + text[at] + text[at:]
    yield from (text.swapcase(), text.upper(), text.lower(), text + "x", text * 2, text[:middle], "")


def filled(text: str, fill: Fill) -> list[str]:
    """The text with values in the places of its variables, at most a dozen."""
    pieces = _VARIABLE.split(text)
    choices = [[piece] if not i % 2 else _of_variable(piece, fill) for i, piece in enumerate(pieces)]
    return ["".join(found) for found in itertools.islice(itertools.product(*choices), 12)]


def _of_variable(name: str, fill: Fill) -> list[str]:
    return [name] if name in ("*", "?", "$") else fill(name.strip().lower())


def matched(text: str, *, stars: Iterable[str] = ("", "x", ":", "a/b", "a:b"), ones: Iterable[str] = ("q", ":")) -> Iterator[str]:
    """Texts that a pattern matches, or nearly; the pattern itself is one, as a text that has wildcards in it."""
    yield text
    if "*" in text or "?" in text:
        for star, one in itertools.product(stars, ones if "?" in text else ("",)):
            yield text.replace("*", star).replace("?", one)
        first = text.replace("*", "x", 1).replace("*", "").replace("?", "q")
        yield first


def actions(patterns: Iterable[str]) -> list[str]:
    """Actions in the form that requests have."""
    found = ["s3:GetObject", "sts:AssumeRole"]
    for pattern in patterns:
        if pattern.strip("*"):
            found += (one for text in matched(pattern, stars=("", "x", "Ob"), ones=("e",)) for one in near(text))
    return [text for text in found if _ACTION.fullmatch(text.lower()) and text.lower() != "sts:getcalleridentity"]


def resources(patterns: Iterable[str], fill: Fill) -> list[str]:
    """Resources, of which any text is one."""
    found = ["arn:aws:s3:::data/alice/f"]
    for pattern in patterns:
        if pattern.strip("*"):
            lacking = pattern + "::::" if pattern.count(":") < 5 and "$" not in pattern else ""
            for text in filter(None, (*filled(pattern, fill), lacking)):
                found += matched(text)
                found += itertools.islice(near(text.replace("*", "x").replace("?", "q")), 1, None)
    return found


def values(asked: Iterable[tuple[str, str]], fill: Fill) -> list[str]:
    """Values of a key that operators compare with values."""
    found: list[str] = []
    for operator, value in asked:
        name = operator.rpartition(":")[2].removesuffix("IfExists")
        family = next((found for start, found in _FAMILIES.items() if name.startswith(start)), "text")
        if family == "text":
            for text in filled(value, fill):
                found += matched(text)
                found += near(text.replace("*", "x").replace("?", "q"))
                found += _in_other_cases(text) if "IgnoreCase" in name else ()
            if name.startswith("Arn"):
                found += ("alice", "arn:aws:s3:::b", "arn:::::", "arn:aws:sns:us-east-1:111122223333:topic-1:x")
        else:
            found += [value, *odd_values.spellings(family, value), *_NEIGHBOURS[family](value), "none", ""]
    return found


def _in_other_cases(text: str) -> Iterator[str]:
    yield from (text.casefold(), text.title())
    for plain, other in (("k", "\u212a"), ("i", "\u0130"), ("i", "\u0131"), ("s", "\u017f"), ("\u00e5", "\u212b"), ("\u00df", "\u1e9e")):
        if plain in text.lower():
            yield text.lower().replace(plain, other)
    if "i\u0307" in text.lower():
        yield text.lower().replace("i\u0307", "\u0130")


def _about_number(value: str) -> list[str]:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return ["0"]
    if abs(number.adjusted()) > 32:
        return ["0", "1"]
    last = Decimal((0, (1,), min(int(number.as_tuple().exponent), 0)))
    return (
        [f"{number + change:f}" for change in (last, -last, last / 2, -last / 2, 1, -1)] + [f"{-number:f}", "0"]
        if last > Decimal("1e-20")
        else [
            value[:-1] + str((int(value[-1]) + 1) % 10 if value[-1].isdigit() else 0),
            value + "1",
            value[:-1],
            "0",
            f"-{value.lstrip('+-')}",
        ]
    )


def _about_date(value: str) -> list[str]:
    found = odd_values.spellings("date", value)
    seconds = int(found[0]) if found else 1704067200
    return [str(seconds + 1), str(seconds - 1), f"{seconds}.5", f"{seconds - 1}.999999999", f"{seconds}.000000001", "1704067200"]


def _about_address(value: str) -> list[str]:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return ["10.1.2.3"]
    top = 2**network.max_prefixlen - 1
    first, last = int(network.network_address), int(network.broadcast_address)
    make = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    found = [str(make(number)) for number in {first, last, max(0, first - 1), min(top, last + 1)}]
    mapped = [f"::ffff:{text}" for text in found if network.version == 4]
    return [*found, *mapped, "10.1.2.3", "0.0.0.0", "::", "::ffff:10.1.2.3", "2001:db8::1", "ffff::"]  # noqa: S104  # an address to compare


_NEIGHBOURS: dict[str, Callable[[str], list[str]]] = {
    "number": _about_number,
    "date": _about_date,
    "bool": lambda _: ["true", "false", "TRUE", "0"],
    "ip": _about_address,
    "binary": lambda value: [value + "=", value.rstrip("="), value.swapcase(), "YQ==", "AAA="],
}
_FAMILIES = {"Numeric": "number", "Date": "date", "Bool": "bool", "Binary": "binary", "IpAddress": "ip", "NotIpAddress": "ip"}


def principals(written: Iterable[str], compared: Iterable[str], fill: Fill) -> list[policy.Principal]:
    """Principals of every kind, those that policies name, and such as are nearly they."""
    names = dict.fromkeys(_ARNS)
    ids, canonical = ["AIDAOTHER"], ["", _CANONICAL]
    services: dict[str, None] = {}
    accounts = dict.fromkeys(("111122223333",))
    sessions = dict.fromkeys(("sess", "other"))
    for text in written:
        accounts.update(dict.fromkeys(_ACCOUNT.findall(text)))
        if "assumed-role/" in text:
            role, _, session = text.partition("assumed-role/")[2].partition("/")
            names[f"{text.partition('assumed-role/')[0].replace(':sts:', ':iam:')}role/{role}"] = None
            sessions[session or "sess"] = None
        elif text.startswith("arn:"):
            names.update(dict.fromkeys(near(text)))
        elif text.startswith("A") and text.isalnum():
            ids.append(text)
        elif "." in text:
            services[text] = None
    for text in compared:
        for value in filled(text, fill):
            accounts.update(dict.fromkeys(_ACCOUNT.findall(value)))
            for one in matched(value, stars=("", "111122223333", "x", "a:b/c", "app", "iam")):
                names.update(dict.fromkeys((one, f"arn:aws:iam::111122223333:user/{one}", f"arn:aws:iam::111122223333:user/p/{one}")))
    for account in accounts:
        names.update(
            dict.fromkeys((f"arn:aws:iam::{account}:user/alice", f"arn:aws:iam::{account}:role/p/app", f"arn:aws:iam::{account}:root"))
        )
    found: list[policy.Principal] = []
    for arn in filter(_PRINCIPAL.fullmatch, names):
        found += _of_arn(arn, ids, canonical, [one for one in sessions if len(one) > 1])
    found.append(policy.Principal("anonymous", "", ""))
    for name in (*services, "lambda.amazonaws.com"):
        found += (policy.Principal("service", name, ""), policy.Principal("federated", name, "", provider=name))
    provider = "arn:aws:iam::111122223333:oidc-provider/login.example.com"
    return [*found, policy.Principal("federated", provider, "", provider=provider)]


_ARNS = (
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/p:q/alice",
    "arn:aws:iam::444455556666:user/k",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/a:b/app",
    "arn:aws-cn:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:root",
    "arn:aws:sts::111122223333:federated-user/kim",
)


def _of_arn(arn: str, ids: list[str], canonical: list[str], sessions: list[str]) -> Iterator[policy.Principal]:
    _, partition, service, _, account, name = arn.split(":", 5)
    if name == "root":
        yield from (policy.Principal("root", arn, account, unique_id=account, canonical=one) for one in canonical)
    elif service == "sts":
        yield policy.Principal("federated-user", arn, account)
    elif name.startswith("user/"):
        yield from (policy.Principal("user", arn, account, unique_id=one, canonical=canonical[len(one) % 2]) for one in ids)
    else:
        yield policy.Principal("role", arn, account, role_arn=arn, unique_id=ids[-1])
        for session in sessions:
            own = f"arn:{partition}:sts::{account}:assumed-role/{arn.rpartition('/')[2]}/{session}"
            yield policy.Principal("assumed-role", own, account, role_arn=arn, unique_id=ids[-1])
