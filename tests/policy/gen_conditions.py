"""Condition blocks and request contexts for random worlds: small pools, so that values hit, near-miss and overlap."""

from dataclasses import dataclass
from random import Random
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Key:
    """A condition key: what its values are, whether a request may carry several, and whether it has the key without saying so."""

    name: str
    kind: str
    many: bool = False
    implied: bool = False


KEYS = (
    Key("aws:username", "name"),
    Key("aws:PrincipalTag/team", "name"),
    Key("aws:RequestTag/env", "text"),
    Key("aws:ResourceTag/team", "name"),
    Key("s3:prefix", "text"),
    Key("sts:ExternalId", "text"),
    Key("aws:TagKeys", "text", many=True),
    Key("aws:CalledVia", "name", many=True),
    Key("aws:PrincipalArn", "arn", implied=True),
    Key("aws:SourceArn", "arn"),
    Key("orders:Approvers", "arn", many=True),
    Key("aws:SourceIp", "ip"),
    Key("orders:Hops", "ip", many=True),
    Key("aws:CurrentTime", "date"),
    Key("aws:TokenIssueTime", "date"),
    Key("s3:max-keys", "number"),
    Key("aws:MultiFactorAuthAge", "number"),
    Key("orders:Amounts", "number", many=True),
    Key("aws:MultiFactorAuthPresent", "bool"),
    Key("aws:SecureTransport", "bool"),
    Key("orders:Digest", "binary"),
    Key("aws:PrincipalAccount", "account", implied=True),
    Key("aws:ResourceAccount", "account", implied=True),
    Key("aws:PrincipalType", "type", implied=True),
)

STRING = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
)
OPERATORS: dict[str, tuple[str, ...]] = {
    "name": STRING,
    "text": STRING,
    "arn": ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike", "StringEquals", "StringNotLike"),
    "ip": ("IpAddress", "NotIpAddress"),
    "date": ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    "number": (
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ),
    "bool": ("Bool",),
    "binary": ("BinaryEquals",),
    "account": STRING,
    "type": STRING,
}
ALL_OPERATORS = tuple(sorted({operator for group in OPERATORS.values() for operator in group}))

# What a request carries; the last few of some pools cannot be read as their type.
VALUES: dict[str, tuple[str, ...]] = {
    "account": ("111122223333", "444455556666"),
    "type": ("User", "AssumedRole", "Account"),
    "name": ("alice", "bob", "Alice", "red", "blue", "a*b", "al?ce", "${aws:username}"),
    "text": ("alice", "dev", "Dev", "prod", "home/alice/f", "a*b", "axb", "a$b", "été", "ÉTÉ", "x:y", ""),
    "arn": (
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/team/app",
        "arn:aws:sns:us-east-1:111122223333:topic-1",
        "arn:aws:sns:eu-west-1:444455556666:topic-2",
        "arn:aws:lambda:us-east-1:111122223333:function:f:live",
        "arn:aws:s3:::data/a/b",
        "arn:aws:sns:us-east-1:111122223333",
        "alice",
    ),
    "ip": (
        "203.0.113.7",
        "203.0.113.255",
        "198.51.100.7",
        "10.1.2.3",
        "2001:db8:1234:5678:9abc::1",
        "2001:DB8::1",
        "nowhere",
        "fe80::1%eth0",
    ),
    "date": (
        "2024-01-01T00:00:00Z",
        "2024-01-01T02:00:00+02:00",
        "2023-12-31T23:59:59.5Z",
        "2024-06-30T12:00:00Z",
        "1704067200",
        "1704067201",
        "2024-1-1T0",
        "2023-12-31T23+23",
        "2024-01-01T",
        "01T",
        "2024-13-01T00:00:00Z",
        "20240101T00",
        "yesterday",
    ),
    "number": ("0", "5", "9.99", "10", "10.0", "-1", "9007199254740993", "abc", "NaN", "1_0", "0x10", ""),
    "bool": ("true", "false", "True", "maybe"),
    "binary": ("aGVsbG8=", "d29ybGQ=", "aGVsbG8h", "not base64!"),
}
# What a policy asks for.
WANTED: dict[str, tuple[Json, ...]] = {
    "account": ("111122223333", "444455556666", "1111*", "${aws:ResourceAccount}", "${aws:PrincipalAccount}", "anonymous"),
    "type": ("User", "AssumedRole", "Account", "FederatedUser", "A*", "anonymous"),
    "name": (
        "alice",
        "bob",
        "red",
        "al*",
        "?lice",
        "*",
        "a${*}b",
        "a*b",
        "ALICE",
        "${aws:username}",
        "${aws:PrincipalTag/team}",
        "${AWS:principaltag/TEAM, 'red'}",
        "${aws:TagKeys}",
        "${aws:username}*",
    ),
    "text": (
        "alice",
        "dev",
        "DEV",
        "prod",
        "d*",
        "home/${aws:username}/*",
        "home/*/f",
        "a${*}b",
        "a${?}b",
        "a${$}b",
        "a?b",
        "été",
        "x*y",
        "",
        "${aws:RequestTag/env, 'a*b'}",
        "*",
    ),
    "arn": (
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:user/${aws:username}",
        "arn:aws:iam::*:role/*",
        "arn:aws:sns:*:111122223333:topic-?",
        "arn:aws:sns:*:*:topic-*",
        "arn:aws:sns:*:topic-1",
        "arn:*:*:*:*:*",
        "arn:aws:lambda:*:function:f:live",
        "arn:aws:lambda:us-east-1:111122223333:function:*",
        "arn:aws:s3:::data/${aws:PrincipalTag/team, 'a'}/?",
        "${aws:SourceArn}",
        "*",
        "alice",
    ),
    "ip": (
        "203.0.113.0/24",
        "203.0.113.7/24",
        "203.0.113.7",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "2001:db8:1234:5678::/64",
        "2001:db8::1",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/33",
        "${aws:SourceIp}",
    ),
    "date": (
        "2024-01-01T00:00:00Z",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01",
        "2024-01-01T00:00Z",
        "2023-12-31T23:59:59.50Z",
        "01T",
        "2024-01-01T2:00:00+02",
        "2024-01-01t",
        1704067200,
        "1704067201",
        "2024-02-30T00:00:00Z",
        "${aws:CurrentTime}",
    ),
    "number": ("0", "5", 5, "10", 10, 9.99, "-1", "10.00", "9007199254740992", "9007199254740993", "ten", "Infinity", "${s3:max-keys}"),
    "bool": ("true", "false", True, False, "False", "no"),
    "binary": ("aGVsbG8=", "d29ybGQ=", "aGVsbG8h", "%%%"),
}


def context(rng: Random, keys: tuple[Key, ...]) -> tuple[dict[str, list[str]], list[str]]:
    """A request's context over the keys, most of them present, and the names of the multivalued ones."""
    values: dict[str, list[str]] = {}
    many: list[str] = []
    for key in keys:
        if rng.random() < (0.7 if key.implied else 0.3):
            continue
        pool = VALUES[key.kind]
        if key.many:
            many.append(key.name)
            values[key.name] = [rng.choice(pool) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))]
        else:
            values[key.name] = [rng.choice(pool)]
    return values, many


def operator(rng: Random, key: Key) -> str:
    """An operator for the key: mostly one of its type, sometimes any other, with its set and IfExists forms."""
    if rng.random() < 0.08:
        return "Null"
    name = rng.choice(OPERATORS[key.kind] if rng.random() < 0.93 else ALL_OPERATORS)
    if rng.random() < 0.2:
        name += "IfExists"
    if rng.random() < (0.9 if key.many else 0.08):
        name = rng.choice(("ForAllValues:", "ForAnyValue:")) + name
    return name


def block(rng: Random, keys: tuple[Key, ...]) -> dict[str, dict[str, Json]]:
    """A Condition element over one or two of the keys."""
    condition: dict[str, dict[str, Json]] = {}
    for _ in range(rng.choice((1, 1, 1, 2))):
        key = rng.choice(keys)
        name = operator(rng, key)
        pool = ("true", "false", True, False) if name == "Null" else WANTED[key.kind]
        wanted = [rng.choice(pool) for _ in range(rng.choice((1, 1, 2, 3)))]
        spelled = key.name.upper() if rng.random() < 0.05 else key.name
        condition.setdefault(name, {})[spelled] = wanted[0] if len(wanted) == 1 and rng.random() < 0.6 else wanted
    return condition
