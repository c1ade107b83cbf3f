"""Condition keys: that there is such a key, that the operator suits its type, and that set operators go with keys of many values."""

import difflib
from collections.abc import Iterator

from sekisho.policy import keys
from sekisho.policy.checks.operators import type_of
from sekisho.policy.checks.subject import Subject, conditions, short
from sekisho.policy.checks.variables import keys_in_variables
from sekisho.policy.document import Flaw
from sekisho.policy.keys import Type
from sekisho.policy.operators import FOR_ALL, FOR_ANY, form

_SUITABLE = {
    Type.STRING: ("string",),
    Type.ARN: ("arn", "string"),
    Type.NUMERIC: ("numeric",),
    Type.DATE: ("date", "numeric"),  # a date is also its seconds since 1970
    Type.BOOL: ("bool",),
    Type.IP_ADDRESS: ("ip",),
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html, "Deprecated global condition key"
_REPLACED = {"aws:arn": "aws:PrincipalArn"}
_TAGS = frozenset(name.removesuffix("/") for name in keys.GLOBAL if name.endswith("/"))


def global_keys(subject: Subject) -> Iterator[Flaw]:
    """`aws:` keys are a closed set: an unknown one is never in a request."""
    for _, condition, path in conditions(subject):
        if _unknown(condition.key):
            yield Flaw(path, "INVALID_GLOBAL_CONDITION_KEY", _unknown_key(condition.key), at_key=True)


def deprecated_keys(subject: Subject) -> Iterator[Flaw]:
    """Keys that have a newer name."""
    for _, condition, path in conditions(subject):
        if newer := _REPLACED.get(condition.key.lower()):
            yield Flaw(path, "DEPRECATED_GLOBAL_CONDITION_KEY", f"{short(condition.key)} has become `{newer}`", at_key=True)


def operator_for_key(subject: Subject) -> Iterator[Flaw]:
    """The operator compares what the key holds."""
    for _, condition, path in conditions(subject):
        key, kind = keys.find(condition.key), type_of(condition)
        if key is None or kind in ("", "null"):
            continue
        if kind not in _SUITABLE[key.type]:
            detail = f"{short(condition.key)} is of type {key.type.value}, which {short(condition.operator)} does not compare"
            yield Flaw(path, "TYPE_MISMATCH", detail, at_key=True)
        elif key.type is Type.ARN and kind == "string" and "Like" in condition.operator:
            detail = f"in {short(condition.operator)} a `*` runs over the fields of an ARN; use ArnLike for {short(condition.key)}"
            yield Flaw(path, "STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS", detail, at_key=True)


def set_operators(subject: Subject) -> Iterator[Flaw]:
    """ForAllValues and ForAnyValue belong to keys of many values, and only to them."""
    for _, condition, path in conditions(subject):
        key, made = keys.find(condition.key), form(condition.operator)
        if key is None or made is None or made.row is None:
            continue
        if key.multivalued and not made.quantifier:
            detail = f"{short(condition.key)} has many values: say {FOR_ALL} or {FOR_ANY}"
            yield Flaw(path, "MISSING_QUALIFIER", detail, at_key=True)
        elif not key.multivalued and made.quantifier == FOR_ALL:
            detail = f"{FOR_ALL} is met where {short(condition.key)} is absent, and the key has one value"
            yield Flaw(path, "FORALLVALUES_WITH_SINGLE_VALUED_KEY", detail, at_key=True)
        elif not key.multivalued and made.quantifier == FOR_ANY:
            yield Flaw(
                path, "FORANYVALUE_WITH_SINGLE_VALUED_KEY", f"{short(condition.key)} has one value: leave {FOR_ANY} out", at_key=True
            )


def tag_keys(subject: Subject) -> Iterator[Flaw]:
    """A key about a tag names one, and one that a request can have."""
    for _, condition, path in conditions(subject):
        stem, _, tag = condition.key.partition("/")
        if stem.lower() in _TAGS and not tag:
            yield Flaw(path, "MISSING_TAG_KEY_IN_CONDITION", f"name the tag: `{stem}/key`", at_key=True)
        elif stem.lower() == "aws:requesttag" and tag.lower().startswith("aws:"):
            detail = f"{short(condition.key)}: no request may set a tag whose key begins with `aws:`"
            yield Flaw(path, "RESERVED_TAG_KEY_IN_CONDITION", detail, at_key=True)


def keys_of_variables(subject: Subject) -> Iterator[Flaw]:
    """A variable stands for a key that exists and has one value."""
    for name, path in keys_in_variables(subject):
        key = keys.find(name)
        if _unknown(name):
            yield Flaw(path, "INVALID_GLOBAL_CONDITION_KEY", _unknown_key(name))
        elif key is not None and key.multivalued:
            yield Flaw(path, "MULTIVALUED_KEY_IN_VARIABLE", f"{short(name)} has many values, and a variable stands for one")


def _unknown(name: str) -> bool:
    lowered = name.lower()
    return lowered.startswith("aws:") and keys.find(name) is None and lowered not in _REPLACED and lowered not in _TAGS


def _unknown_key(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), keys.GLOBAL, n=1, cutoff=0.8) if len(name) <= 64 else []
    suggestion = f"; is `{keys.GLOBAL[close[0]].name}` meant?" if close else ""
    return f"there is no global condition key {short(name)}{suggestion}"
