"""Values at the edges of the language of policies, by the family of their operators; and the same values in other words."""

import base64
import ipaddress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

from tests.policy.gen_conditions import STRING

KEYS = {
    "s3:prefix": "text",
    "aws:RequestTag/env": "text",
    "aws:PrincipalTag/team": "text",
    "aws:UserAgent": "text",
    "orders:Labels": "text",
    "aws:TagKeys": "text",
    "aws:PrincipalOrgPaths": "text",
    "aws:SourceArn": "arn",
    "orders:Approvers": "arn",
    "aws:PrincipalArn": "arn of a principal",
    "aws:username": "name",
    "aws:PrincipalAccount": "account",
    "aws:PrincipalType": "type",
    "aws:userid": "text",
    "aws:ResourceAccount": "account",
    "s3:max-keys": "number",
    "orders:Amounts": "number",
    "aws:MultiFactorAuthAge": "number",
    "aws:CurrentTime": "date",
    "aws:EpochTime": "date",
    "orders:Days": "date",
    "aws:SecureTransport": "bool",
    "orders:Flags": "bool",
    "aws:SourceIp": "ip",
    "orders:Hops": "ip",
    "orders:Digest": "binary",
}
MANY = ("orders:Labels", "aws:TagKeys", "aws:PrincipalOrgPaths", "orders:Approvers", "orders:Amounts", "orders:Days", "orders:Hops")

_ARN = ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")
_ORDERED = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
OPERATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("text", "name", "account", "type"), STRING),
    **dict.fromkeys(("arn", "arn of a principal"), (*_ARN, *_ARN, *STRING)),
    "number": tuple(f"Numeric{name}" for name in _ORDERED),
    "date": tuple(f"Date{name}" for name in _ORDERED),
    "bool": ("Bool",),
    "ip": ("IpAddress", "NotIpAddress"),
    "binary": ("BinaryEquals",),
}

_LONG = "123456789012345678901234567890"
VALUES: dict[str, tuple[Any, ...]] = {
    "text": (
        *("alice", "Alice", "ALICE", "al*", "a?ice", "*", "?", "??", "*?*", "", "a*b", "a${*}b", "a${?}b", "${*}", "${$}{x}", "a b"),
        *("${aws:username}", "${aws:username}-x", "TEAM-${aws:PrincipalTag/team}", "*${aws:PrincipalTag/team}", "${s3:prefix}*"),
        *("${aws:PrincipalTag/team, 'red'}", "${aws:PrincipalTag/team,'a*b'}x", "${aws:TagKeys}", "${orders:Labels, 'alice'}"),
        *("${aws:PrincipalAccount}", "${AWS:RequestTag/ENV}", "${aws:username}${aws:PrincipalTag/team}", "i${aws:PrincipalTag/team}"),
        *(
            "${aws:PrincipalTag/team}:${aws:PrincipalTag/team}",
            "k",
            "K\u212a",
            "stra\u00dfe",
            "STRA\u1e9eE",
            "\u00e9t\u00e9",
            "\u00c9T\u00c9",
        ),
        *("\u0130", "i", "I", "\u03c3", "a:b", "a/b", "true", "0", "o-1/r-2/*", "o-1/r-2/ou-3/", "\U0001f600", "\U0001f600*"),
    ),
    "name": (
        *(
            "alice",
            "Alice",
            "al*",
            "*",
            "?????",
            "",
            "a/b",
            "${aws:PrincipalTag/team}",
            "${aws:username}",
            "${aws:RequestTag/env, 'alice'}",
        ),
        *("ALICE", "a.b@c", "k", "*-admin", "${*}"),
    ),
    "account": (
        *("111122223333", "444455556666", "1111*", "????????3333", "*", "anonymous", "Anonymous", "", "11112222333", "1111222233334"),
        *("${aws:ResourceAccount}", "${aws:PrincipalAccount}", "${aws:PrincipalTag/team}", "${aws:ResourceAccount, '111122223333'}"),
    ),
    "type": ("User", "user", "AssumedRole", "Account", "FederatedUser", "Anonymous", "A*", "*", "?ser", "", "USER", "${aws:PrincipalType}"),
    "arn": (
        *("arn:aws:sns:us-east-1:111122223333:topic-1", "arn:aws:sns:*:111122223333:topic-?", "arn:aws:sns:?:*:*", "arn:aws:s3:::b"),
        *(
            "arn:aws:s3:::*:x",
            "arn:*:*:*:*:*",
            "*:*:*:*:*:*",
            "a*n:aws:s3:::b",
            "?rn:aws:s3:::*",
            "arn:::::x",
            "arn::::::",
            "arn:aws:sns:*",
        ),
        *("arn:aws:sns:*:*", "arn:aws:lambda:us-east-1:111122223333:function:f:live", "arn:aws:lambda:*:*:function:*", "*", "alice", ""),
        *("arn:aws:s3:::${aws:PrincipalTag/team}/*", "arn:aws:s3:::${aws:PrincipalTag/team, 'a:b'}", "${aws:SourceArn}", "ARN:aws:s3:::b"),
        *(
            "arn:aws:sns:us-east-1:${aws:PrincipalAccount}:*",
            "arn:aws:s3:::a${*}b",
            "arn:aws:s3:::a*b",
            "arn:aws:s3:*::b",
            "arn:${s3:prefix}",
        ),
        *("arn:aws:sns:us-east-1:*:111122223333:topic", "arn:aws:sns:us-east-1:111122223333*"),
    ),
    "arn of a principal": (
        *(
            "arn:aws:iam::111122223333:user/alice",
            "arn:aws:iam::*:user/*",
            "arn:aws:iam::111122223333:role/a:b/app",
            "arn:aws:iam::*:role/a:b/*",
        ),
        *("arn:aws:iam::*:role/*/app", "arn:aws:iam::1111*:role/*", "arn:aws:iam::111122223333:*", "arn:*:iam::111122223333:role/app", "*"),
        *(
            "arn:aws:sts::111122223333:assumed-role/app/sess",
            "arn:aws:sts::*:assumed-role/*",
            "arn:aws:sts::111122223333:federated-user/kim",
        ),
        *("arn:aws:iam::111122223333:root", "arn:aws:iam::????????????:root", "arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}"),
        *(
            "arn:aws:iam::${aws:ResourceAccount}:*",
            "${aws:PrincipalArn}",
            "arn:aws-cn:iam::111122223333:role/app",
            "arn:aws*:iam::*:role/app",
        ),
        *(
            "arn:aws:iam:*:111122223333:user/alice",
            "arn:aws:*::111122223333:*",
            "",
            "arn:aws:iam::111122223333:user/ALICE",
            "arn:aws:iam::*",
        ),
    ),
    "number": (
        *(
            "0",
            "-0",
            "5",
            "05",
            "+5",
            "5.0",
            "5.",
            ".5",
            "0.5",
            "5e0",
            "50e-1",
            "0.5e1",
            5,
            5.5,
            "-5",
            "1E2",
            "100",
            "99.999999999999999999",
        ),
        *(f"{_LONG}.1", f"{_LONG}.2", f"0.{_LONG[:-1]}1", f"0.{_LONG[:-1]}2", f"-{_LONG[:-1]}1", "1e29", "1e30", "1e-29", "1e-30", "0e99"),
    ),
    "date": (
        *("2024-01-01T00:00:00Z", "2024-01-01T02:00:00+02:00", "2023-12-31T23:30:00-00:30", "1704067200", 1704067200, "1704067200.0"),
        *("2024-01-01", "2024-01-01T00:00:00.5Z", "1704067200.5", "1704067201", "2023-12-31T23:59:59.999999999Z", "0", "-1", "1970-01-01"),
        *(
            "2024-1-1T0:0:0Z",
            "2024-01-01T00:00Z",
            "01T",
            "9999-12-31T23:59:59Z",
            "253402300800",
            "-62135596800",
            "2024-01-01T00:00:00+0000",
        ),
        *("2024-01-01T24:00:00Z", "999999999999999", "2024-01-01t00:00:00z", "2024-01-01 00:00:00"),
    ),
    "bool": ("true", "false", True, False, "True", "FALSE", "tRuE"),
    "ip": (
        *(
            "10.0.0.0/8",
            "10.0.0.0/9",
            "10.128.0.0/9",
            "10.1.2.3",
            "10.1.2.3/32",
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "255.255.255.255",
        ),
        *(
            "::/0",
            "::ffff:0:0/96",
            "::ffff:0:0/95",
            "::ffff:0:0/97",
            "::ffff:10.0.0.0/104",
            "::ffff:10.1.2.3",
            "::ffff:0a01:0203/128",
            "::/1",
        ),
        *("2001:db8::/32", "2001:DB8::/33", "2001:0db8:0000::1", "::10.1.2.3", "::fffe:0:0/96", "8000::/1", "::/80", "::1", "10.1.2.3/0"),
        *("0:0:0:0:0:ffff::/96", "::ffff:0:0:0/96", "64:ff9b::10.1.2.3"),
    ),
    "binary": ("", "YQ==", "YR==", "aGVsbG8=", "AA==", "AAA=", "AAAA", "////", "++++", "YWE="),
}

ACTIONS = (
    *(
        "s3:GetObject",
        "S3:getobject",
        "s3:Get*",
        "s3:*",
        "*",
        "*:*",
        "s3:G?tObject",
        "s3:*Object",
        "s3:*t*",
        "s3:GetObjectTagging",
        "s3:get*t",
    ),
    *("sts:AssumeRole", "sts:GetCallerIdentity", "sts:*", "s3-object-lambda:*", "s3:??tObject", "s3:Put*", "**", "s3:**", "s3:*?"),
)
RESOURCES = (
    *("*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/?", "arn:aws:s3:::data/a*b", "arn:aws:s3:::data/a${*}b", "arn:aws:s3:::data", "**"),
    *("arn:aws:s3:::data/${aws:username}/*", "arn:aws:s3:::data/${aws:PrincipalTag/team}*", "arn:aws:s3:::*/${aws:PrincipalTag/team}"),
    *(
        "arn:aws:s3:::data/${aws:PrincipalTag/team, 'red'}",
        "arn:aws:s3:::data/*${aws:PrincipalTag/team}:x",
        "arn:aws:s3:::data/${aws:TagKeys}",
    ),
    *(
        "arn:aws:sqs:*:111122223333:q-*",
        "arn:aws:sqs:us-east-1:*:q",
        "arn:aws:sqs:*:*:a:b",
        "arn:aws:sqs:us-*-1:111122223333:q:*",
        "arn:aws:sqs",
    ),
    *(
        "arn:aws:sqs:*",
        "arn:aws:sqs:us-east-1",
        "arn:*:sqs:us-east-1:111122223333:q",
        "arn:aws:sqs:us-east-?:111122223333:q",
        "arn:aws:s3:::d*:x",
    ),
    *(
        "arn:aws:sqs:us-east-1:111122223333:q:b",
        "arn:aws:s3:::DATA/*",
        "arn:aws:s3:::data/*/f",
        "arn:aws:s3:::data/*?",
        "arn:aws:s3:::data/?*",
    ),
    *(
        "arn:aws:sqs:us-east-1:111122223333:*:*",
        "arn:aws:sqs:::*",
        "arn:aws:s3:::data/${aws:username}${aws:PrincipalTag/team}",
        "arn:aws:s3:::?ata/*",
    ),
)
PRINCIPALS: dict[str, tuple[str, ...]] = {
    "AWS": (
        *(
            "*",
            "111122223333",
            "444455556666",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/alice",
            "AIDAEXAMPLEEXAMPLE234",
        ),
        *("arn:aws:iam::111122223333:user/p/alice", "arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:role/a:b/app"),
        *("arn:aws:sts::111122223333:assumed-role/app/sess", "arn:aws:sts::111122223333:assumed-role/app/other", "AROAEXAMPLEEXAMPLE234"),
        *("arn:aws:sts::111122223333:federated-user/kim", "arn:aws-cn:iam::111122223333:role/app", "arn:aws:iam::444455556666:role/app"),
        "arn:aws:sts::111122223333:assumed-role/app",
    ),
    "Service": ("lambda.amazonaws.com", "ec2.amazonaws.com", "*"),
    "Federated": (
        "arn:aws:iam::111122223333:oidc-provider/login.example.com",
        "accounts.google.com",
        "arn:aws:iam::111122223333:saml-provider/idp",
    ),
    "CanonicalUser": ("79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",),
}

_FAMILIES = {"Numeric": "number", "Date": "date", "Bool": "bool", "Binary": "binary", "IpAddress": "ip", "NotIpAddress": "ip"}


def of_operator(operator: str, family: str) -> tuple[Any, ...]:
    """The values that an operator can be given with a key of a family."""
    name = operator.rpartition(":")[2]
    for start, found in _FAMILIES.items():
        if name.startswith(start):
            return VALUES[found]
    if name.startswith("Arn"):
        return VALUES["arn of a principal" if family == "arn of a principal" else "arn"]
    return VALUES[family] if family in ("name", "account", "type", "arn", "arn of a principal") else VALUES["text"]


def otherwise(rng: Random, operator: str, value: Any) -> Any:
    """The same value in other words, where there are any."""
    name = operator.rpartition(":")[2]
    family = next((found for start, found in _FAMILIES.items() if name.startswith(start)), "text")
    said = spellings(family, str(value))
    return rng.choice(said) if said else value


def spellings(family: str, value: str) -> list[str]:
    """Other texts that are read as the same number, date, boolean, address or range."""
    try:
        return _SPELLINGS[family](value) if family in _SPELLINGS else []
    except (ValueError, InvalidOperation, OverflowError):
        return []


def _number(value: str) -> list[str]:
    number = Decimal(value)
    if abs(number.adjusted()) > 32:
        return []
    plain = f"{number:f}"
    return [
        plain,
        f"{number:e}",
        *([f"+{plain}", f"0{plain}"] if not plain.startswith("-") else []),
        plain + ("0" if "." in plain else ".0"),
    ]


def _date(value: str) -> list[str]:
    moment = datetime.fromisoformat(value) if "T" in value else datetime.fromtimestamp(int(Decimal(value)), UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    zone = timezone(timedelta(hours=5, minutes=30))
    return [str(seconds), f"{seconds}.0", moment.astimezone(zone).isoformat(), moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")]


def _boolean(value: str) -> list[str]:
    return [value.lower(), value.upper(), value.capitalize(), value.swapcase()]


def _address(value: str) -> list[str]:
    base, slash, prefix = value.partition("/")
    address = ipaddress.ip_address(base)
    if isinstance(address, ipaddress.IPv4Address):
        whole = f"::ffff:{base}/{96 + int(prefix)}" if slash else f"::ffff:{base}"
        return [whole, f"{base}/{prefix or 32}"]
    return [f"{address.exploded}{slash}{prefix}", f"{str(address).upper()}{slash}{prefix}"]


def _bytes(value: str) -> list[str]:
    return [base64.b64encode(base64.b64decode(value)).decode()]


_SPELLINGS = {"number": _number, "date": _date, "bool": _boolean, "ip": _address, "binary": _bytes}
