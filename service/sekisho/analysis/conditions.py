"""Conditions of statements as findings show them, and what of them no finding shows."""

from collections.abc import Iterable, Mapping

from sekisho.policy import Condition, keys

OF_ARNS = frozenset(("aws:sourcearn", "aws:principalarn", "aws:sourcevpcarn", "s3:dataaccesspointarn"))
"""Keys whose values are ARNs."""
_USUAL = ("Bool", "IpAddress", "NumericEquals", "DateEquals", "BinaryEquals")


def shown(written: Iterable[Condition]) -> Mapping[str, str]:
    """The values by key."""
    found: dict[str, list[str]] = {}  # several operators may ask for one key
    for condition in written:
        found.setdefault(keys.canonical(condition.key), []).extend(condition.values)
    return {key: ",".join(values) for key, values in found.items()}


def operators(written: Iterable[Condition]) -> Mapping[str, str]:
    """The operators by key, where they are not the usual ones for such values: two findings may differ in them alone."""
    found: dict[str, list[str]] = {}
    for condition in written:
        if not _is_usual(condition):
            found.setdefault(keys.canonical(condition.key), []).append(condition.operator)
    return {key: ",".join(names) for key, names in found.items()}


def _is_usual(condition: Condition) -> bool:
    """True of the operator that a key and its values lead to expect: it tells nothing."""
    if condition.key.lower() in OF_ARNS:
        return condition.operator in ("ArnLike", "ArnEquals")  # which are the same
    wild = any(sign in value for value in condition.values for sign in "*?")
    return condition.operator in (*_USUAL, "StringLike" if wild else "StringEquals")
