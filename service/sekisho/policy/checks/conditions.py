"""Conditions: the operator exists, its values are such that it can compare them, and they say what their author means."""

import difflib
import ipaddress
import re
from collections.abc import Iterator

from sekisho.policy.checks.operators import comparable, type_of
from sekisho.policy.checks.subject import Subject, at, short
from sekisho.policy.checks.subject import conditions as conditions_of
from sekisho.policy.document import LEGACY, SYNTAX, Flaw
from sekisho.policy.operators import FOR_ALL, FOR_ANY, IF_EXISTS, NULL, OPERATORS, form

_MISMATCH = {
    "numeric": ("TYPE_MISMATCH_NUMBER", "a number"),
    "date": ("TYPE_MISMATCH_DATE", "a date of ISO 8601 or seconds since 1970"),
    "bool": ("TYPE_MISMATCH_BOOLEAN", "`true` or `false`"),
    "null": ("TYPE_MISMATCH_BOOLEAN", "`true` (the key is absent) or `false`"),
    "binary": ("TYPE_MISMATCH_BINARY", "base64"),
    "ip": ("TYPE_MISMATCH_IP_RANGE", "an IP address or a range in CIDR notation"),
    "arn": ("TYPE_MISMATCH_ARN", "an ARN of six fields"),
}
_KEY = re.compile(r"[^\s:]+:\S.*")
_VARIABLE = re.compile(r"\$\{[^${}]*\}|\$\{\$\}")


def condition_operator(subject: Subject) -> Iterator[Flaw]:
    """Operators are a closed set, case included; Null stands without affixes."""
    for statement, condition, _ in conditions_of(subject):
        if form(condition.operator) is not None:
            continue
        path = at(statement, "Condition", condition.operator)
        if condition.operator.endswith(NULL + IF_EXISTS):
            yield Flaw(path, "NULL_WITH_IF_EXISTS", "`Null` is about existence already", SYNTAX, at_key=True)
        elif condition.operator.endswith(f":{NULL}"):
            yield Flaw(path, "NULL_WITH_QUALIFIER", "`Null` is about the key and not about its values", SYNTAX, at_key=True)
        else:
            detail = f"unknown operator {short(condition.operator)}{_suggestion(condition.operator)}"
            yield Flaw(path, "INVALID_CONDITION_OPERATOR", detail, SYNTAX, at_key=True)


def condition_values(subject: Subject) -> Iterator[Flaw]:
    """What its operator cannot read is decided in doubt, so it is refused; AWS does so with dates. ARNs it takes in any form."""
    for _, condition, path in conditions_of(subject):
        kind = type_of(condition)
        if kind not in _MISMATCH:
            continue
        issue, wanted = _MISMATCH[kind]
        for i, value in enumerate(condition.values):
            if comparable(condition, value) or (subject.has_variables and "${" in value):
                continue
            sentence = "" if kind == "arn" else LEGACY
            yield Flaw((*path, i), issue, f"{short(condition.operator)} compares with {wanted}, not with {short(value)}", sentence)


def key_format(subject: Subject) -> Iterator[Flaw]:
    """A key has a service prefix; AWS stores one without, and no request has it."""
    for _, condition, path in conditions_of(subject):
        if not _KEY.fullmatch(condition.key):
            detail = f"{short(condition.key)} has no service prefix: `service:key`"
            yield Flaw(path, "INVALID_CONDITION_KEY_FORMAT", detail, at_key=True)


def duplicate_keys(subject: Subject) -> Iterator[Flaw]:
    """Names of keys are the same in any case, so these are two conditions on one key, both to be met."""
    seen: dict[tuple[int, str, str], str] = {}
    for statement, condition, path in conditions_of(subject):
        earlier = seen.setdefault((statement.index, condition.operator, condition.key.lower()), condition.key)
        if earlier != condition.key:
            detail = f"{short(condition.key)} and {short(earlier)} are one key, and both conditions have to be met"
            yield Flaw(path, "DUPLICATE_KEYS_WITH_DIFFERENT_CASE", detail, at_key=True)


def value_counts(subject: Subject) -> Iterator[Flaw]:
    """Several values that say no more than one, or than nothing."""
    for _, condition, path in conditions_of(subject):
        made = form(condition.operator)
        if made is None or len(condition.values) < 2 or made.quantifier:
            continue
        if type_of(condition) in ("bool", "null") and len({value.lower() for value in condition.values}) > 1:
            detail = f"{short(condition.key)} compared with both `true` and `false` says no more than that it is there"
            yield Flaw(path, "INVALID_CONDITION_MULTIPLE_BOOLEAN", detail)
        elif "Than" in made.name:
            yield Flaw(path, "REDUNDANT_CONDITION_VALUE_NUM", f"{short(condition.operator)} needs one value, the widest")


def wildcards_without_like(subject: Subject) -> Iterator[Flaw]:
    """A star in an operator that compares to the letter."""
    for _, condition, path in conditions_of(subject):
        made = form(condition.operator)
        if made is None or made.row is None or made.row.wildcards or type_of(condition) != "string":
            continue
        like = "`StringNotLike`" if made.row.negated else "`StringLike`"
        for i, value in enumerate(condition.values):
            if "*" in _VARIABLE.sub("", value):
                detail = f"{short(condition.operator)} takes the `*` in {short(value)} as a plain character; {like} would not"
                yield Flaw((*path, i), "WILDCARD_WITHOUT_LIKE_OPERATOR", detail)


def address_ranges(subject: Subject) -> Iterator[Flaw]:
    """`10.1.2.3/8` means `10.0.0.0/8`, and the reader should not have to work that out."""
    for _, condition, path in conditions_of(subject):
        if type_of(condition) != "ip":
            continue
        for i, value in enumerate(condition.values):
            if "/" in value and comparable(condition, value):
                network = ipaddress.ip_network(value, strict=False)
                if ipaddress.ip_address(value.partition("/")[0]) != network.network_address:
                    yield Flaw((*path, i), "IMPROVE_IP_RANGE", f"{short(value)} is the range `{network}`")


def _suggestion(written: str) -> str:
    """`; is ... meant?` with the operator whose name is closest, qualifier and suffix kept."""
    if len(written) > 64:
        return ""
    before, colon, rest = written.rpartition(":")
    suffix = IF_EXISTS if rest.lower().endswith(IF_EXISTS.lower()) else ""
    names = {name.lower(): name for name in (*OPERATORS, NULL)}
    close = difflib.get_close_matches(rest[: len(rest) - len(suffix)].lower(), names, n=1, cutoff=0.7)
    quantifier = next((known for known in (FOR_ALL, FOR_ANY) if known.lower() == before.lower()), "")
    if not close or (colon and not quantifier):
        return ""
    return f"; is `{quantifier}{colon}{names[close[0]]}{suffix}` meant?"
