"""Event selectors: which events a trail or an event data store is about. Pure.

A basic selector takes management events and the data events of resources; an advanced one is a conjunction of conditions on fields. An
event is selected by any one of the selectors. `event` is the JSON of a CloudTrail event (`journal/trail/events.py`).
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/filtering-data-events.html
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

MANAGEMENT, DATA = "Management", "Data"

USUAL: list[dict[str, Any]] = [
    {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
]
"""The basic selectors of a trail that was given none."""

SELECT: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
"""Operators of which one value is enough."""

DESELECT: Mapping[str, Callable[[str, str], bool]] = {f"Not{name}": test for name, test in SELECT.items()}
"""Operators of which no value may hold."""

RESOURCE_ARN, RESOURCE_TYPE = "resources.ARN", "resources.type"


@dataclass(frozen=True, slots=True)
class Condition:
    """The demands on a field: that it is one of `wanted`, unless there is none, and what it must not be; operators, each with its value."""

    field: str
    wanted: tuple[tuple[str, str], ...]
    unwanted: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Basic:
    """A basic selector: `resources` are types and the beginnings of ARNs."""

    read_write: str
    management: bool
    excluded: frozenset[str]
    resources: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Selectors:
    """All selectors of a trail or an event data store."""

    basic: tuple[Basic, ...] = ()
    advanced: tuple[tuple[Condition, ...], ...] = ()


def parsed(basic: str | None, advanced: str | None) -> Selectors:
    """Selectors out of the JSON lists that rows keep; the usual ones when there is neither."""
    if advanced is not None:
        return Selectors(advanced=tuple(_conditions(one) for one in json.loads(advanced)))
    return Selectors(basic=tuple(_basic(one) for one in (json.loads(basic) if basic is not None else USUAL)))


def of_data(basic: str | None, advanced: str | None) -> tuple[str, str] | None:
    """Those that ask for data events, of selectors as rows keep them: their kind, `basic` or `advanced`, and a JSON list. None for none.

    Neither has a row that somebody has written past this server: it selects nothing, and its own delivery fails, which says so.
    """
    try:
        if advanced is not None:
            kept = [one for one in json.loads(advanced) if any(_is_about_data(each) for each in one["FieldSelectors"])]
        else:
            kept = [one for one in json.loads(basic or "[]") if one.get("DataResources")]
        text = json.dumps(kept)
        parsed(text if advanced is None else None, text if advanced is not None else None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return ("basic" if advanced is None else "advanced", text) if kept else None


def _is_about_data(condition: Mapping[str, Any]) -> bool:
    return condition["Field"] == "eventCategory" and DATA in condition.get("Equals", ())


def _basic(selector: Mapping[str, Any]) -> Basic:
    return Basic(
        selector.get("ReadWriteType", "All"),
        selector.get("IncludeManagementEvents", True),
        frozenset(selector.get("ExcludeManagementEventSources", ())),
        tuple((each["Type"], value) for each in selector.get("DataResources", ()) for value in each.get("Values", ())),
    )


def _conditions(selector: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(Condition(each["Field"], _values(each, SELECT), _values(each, DESELECT)) for each in selector["FieldSelectors"])


def _values(condition: Mapping[str, Any], operators: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name in operators for value in condition.get(name, ()))


def selected(selectors: Selectors, event: Event) -> bool:
    """True of an event that any of the selectors takes."""
    return any(_takes(basic, event) for basic in selectors.basic) or any(
        all(_holds(condition, event, types(conditions)) for condition in conditions) for conditions in selectors.advanced
    )


def _takes(basic: Basic, event: Event) -> bool:
    if basic.read_write != "All" and (basic.read_write == "ReadOnly") != (event.get("readOnly") is True):
        return False
    category = event.get("eventCategory", MANAGEMENT)
    if category == MANAGEMENT:
        return basic.management and event.get("eventSource") not in basic.excluded
    return category == DATA and any(
        resource.get("type") == type_ and str(resource.get("ARN", "")).startswith(beginning)
        for resource in _resources(event)
        for type_, beginning in basic.resources
    )


def types(conditions: Sequence[Condition]) -> frozenset[str]:
    """The types of resources that a selector is about: ARNs of others do not count for it."""
    return frozenset(
        value
        for condition in conditions
        if condition.field == RESOURCE_TYPE
        for operator, value in condition.wanted
        if operator == "Equals"
    )


def _holds(condition: Condition, event: Event, about: frozenset[str]) -> bool:
    values = _of(event, condition.field, about)
    if condition.wanted and not any(SELECT[name](value, text) for value in values for name, text in condition.wanted):
        return False
    return not any(DESELECT[name](value, text) for value in values for name, text in condition.unwanted)


def _of(event: Event, field: str, about: frozenset[str]) -> list[str]:
    """The values that an event has in a field, as texts; none when it has none."""
    if field == RESOURCE_TYPE:
        return [str(resource["type"]) for resource in _resources(event) if "type" in resource]
    if field == RESOURCE_ARN:
        return [str(each["ARN"]) for each in _resources(event) if "ARN" in each and (not about or each.get("type") in about)]
    value: Any = event
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return []
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _resources(event: Event) -> list[Mapping[str, Any]]:
    return event.get("resources") or []
