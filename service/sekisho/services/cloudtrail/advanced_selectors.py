"""Advanced event selectors: the fields that each category of events has, the operators of each field, and how they are kept.

Types of resources are not a list of AWS's: services here have their own.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sekisho.api.cloudtrail.v1 import event_selectors_pb2 as pb
from sekisho.services.cloudtrail.errors import InvalidEventSelectors

OPERATORS: Mapping[str, str] = {
    "equals": "Equals",
    "starts_with": "StartsWith",
    "ends_with": "EndsWith",
    "not_equals": "NotEquals",
    "not_starts_with": "NotStartsWith",
    "not_ends_with": "NotEndsWith",
}
"""By the member of the message, the name of the operator."""

MOST_VALUES = 500
"""Values of all conditions together."""

_ALL = frozenset(OPERATORS.values())
_EQUALS = frozenset(("Equals",))
_COMMON: Mapping[str, frozenset[str]] = {"eventCategory": _EQUALS, "readOnly": _EQUALS}
_IDENTITY: Mapping[str, frozenset[str]] = {
    "eventName": _ALL,
    "eventSource": _ALL,
    "eventType": _ALL,
    "sessionCredentialFromConsole": frozenset(("Equals", "NotEquals")),
    "userIdentity.arn": _ALL,
}
_DATA: Mapping[str, frozenset[str]] = {**_COMMON, **_IDENTITY, "resources.type": _EQUALS, "resources.ARN": _ALL}

Fields = Mapping[str, Mapping[str, frozenset[str]]]
"""By category of events, the fields that a selector may name, and the operators of each."""

OF_TRAILS: Fields = {"Management": {**_COMMON, "eventSource": frozenset(("NotEquals",))}, "Data": _DATA}
OF_STORES: Fields = {"Management": {**_COMMON, **_IDENTITY, "errorCode": _ALL}, "Data": _DATA}

_VALUES: Mapping[str, frozenset[str]] = {
    "readOnly": frozenset(("true", "false")),
    "sessionCredentialFromConsole": frozenset(("true", "false")),
}
_TYPE = re.compile(r"[A-Za-z0-9]+(?:::[A-Za-z0-9]+){1,3}")


def is_type(text: str) -> bool:
    """True of what can be a type of resource: `AWS::S3::Object`, `Shop::Order`."""
    return len(text) <= 256 and _TYPE.fullmatch(text) is not None


def refuse_wrong(given: Sequence[pb.AdvancedEventSelector], fields: Fields) -> None:
    """InvalidEventSelectors for selectors that cannot be."""
    if sum(len(getattr(each, member)) for one in given for each in one.field_selectors for member in OPERATORS) > MOST_VALUES:
        raise InvalidEventSelectors(f"All conditions together can have up to {MOST_VALUES} values.")
    for one in given:
        named = [each.field for each in one.field_selectors]
        if len(set(named)) != len(named):
            raise InvalidEventSelectors("A field can be named once in an advanced event selector.")
        category = _only(one, "eventCategory")
        if category is None or category not in fields:
            raise InvalidEventSelectors(f"The field eventCategory must equal one of {', '.join(fields)}.")
        if category == "Data" and not is_type(_only(one, "resources.type") or ""):
            raise InvalidEventSelectors("The field resources.type must equal one type of resource where events are Data.")
        for each in one.field_selectors:
            _refuse_condition(each, category, fields[category])


def _refuse_condition(each: pb.AdvancedFieldSelector, category: str, fields: Mapping[str, frozenset[str]]) -> None:
    if each.field not in fields:
        raise InvalidEventSelectors(f"The field {each.field[:256]} is not one that {category} events are selected by.")
    used = {name for member, name in OPERATORS.items() if getattr(each, member)}
    if not used:
        raise InvalidEventSelectors(f"The field {each.field} must have an operator.")
    if wrong := sorted(used - fields[each.field]):
        raise InvalidEventSelectors(f"The field {each.field} cannot have the operator {wrong[0]}.")
    if (allowed := _VALUES.get(each.field)) is not None:
        values = [value for member in OPERATORS for value in getattr(each, member)]
        if len(values) != 1 or values[0] not in allowed:
            raise InvalidEventSelectors(f"The field {each.field} must be one of {', '.join(sorted(allowed))}.")


def _only(one: pb.AdvancedEventSelector, field: str) -> str | None:
    """The one value that a field must equal, if that is what the selector says."""
    found = [value for each in one.field_selectors if each.field == field for value in each.equals]
    return found[0] if len(found) == 1 else None


def plain(given: Sequence[pb.AdvancedEventSelector]) -> list[dict[str, Any]]:
    """Selectors as they are kept."""
    return [
        {
            **({"Name": one.name} if one.HasField("name") else {}),
            "FieldSelectors": [
                {"Field": each.field, **{name: list(getattr(each, member)) for member, name in OPERATORS.items() if getattr(each, member)}}
                for each in one.field_selectors
            ],
        }
        for one in given
    ]


def messages(kept: str) -> list[pb.AdvancedEventSelector]:
    """Selectors as messages have them."""
    return [
        pb.AdvancedEventSelector(
            name=one.get("Name"),
            field_selectors=[
                pb.AdvancedFieldSelector(field=each["Field"], **{member: each.get(name, []) for member, name in OPERATORS.items()})
                for each in one["FieldSelectors"]
            ],
        )
        for one in json.loads(kept)
    ]
