"""Service definitions: the actions, resource types and condition keys that a service has, in the shape of AWS's service reference.

    {"Name": "orders",
     "Actions": [{"Name": "ShipOrder", "ActionConditionKeys": ["orders:Carrier"], "Resources": [{"Name": "order"}],
                  "Annotations": {"Properties": {"IsWrite": true}}}],
     "Resources": [{"Name": "order", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}"],
                    "ConditionKeys": ["aws:ResourceTag/${TagKey}"]}],
     "ConditionKeys": [{"Name": "orders:Carrier", "Types": ["String"]}]}

Members that are not here, such as `Operations` and `Version`, are passed over. Everything is bounded: a definition comes from a caller.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/service-reference.html
"""

import enum
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sekisho.errors import InvalidArgument
from sekisho.policy import patterns, strict_json
from sekisho.policy.strict_json import JsonError

MAX_TEXT = 1_000_000
"""Characters of a definition."""
MAX_ACTIONS, MAX_RESOURCES, MAX_KEYS = 2_000, 500, 2_000
MAX_FORMATS = 32
"""Formats of the ARNs of one resource type."""
MAX_REFERENCES = 50_000
"""Resource types and condition keys that the actions and resource types of one definition name together."""
MAX_EXPANDED = 20_000
"""Actions that one pattern expands to."""

_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./*-]{0,127}")
_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
_KEY = re.compile(r"[A-Za-z0-9.-]{1,128}:[!-~]{1,191}")
_TYPE = re.compile(r"[A-Za-z]{1,32}")
_FORMAT = re.compile(r"arn:[!-~]{1,1007}")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


class InvalidServiceDefinition(InvalidArgument):
    """The text does not define a service; the message says what is wrong, and where."""


class Level(enum.StrEnum):
    """The access levels of actions, as AWS names them."""

    LIST = "List"
    READ = "Read"
    WRITE = "Write"
    TAGGING = "Tagging"
    PERMISSIONS = "Permissions management"


_PROPERTIES = {
    "IsPermissionManagement": Level.PERMISSIONS,
    "IsTaggingOnly": Level.TAGGING,
    "IsWrite": Level.WRITE,
    "IsList": Level.LIST,
}
"""The properties of an action that say its level; the first that is true counts. AWS sets `IsWrite` beside the two above it."""


@dataclass(frozen=True, slots=True)
class KeyDefinition:
    """A condition key, such as `orders:Carrier` or `aws:RequestTag/${TagKey}`, with the types of its values."""

    name: str
    types: tuple[str, ...] = ("String",)


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """A resource type, with the formats of its ARNs and the condition keys that come from such a resource."""

    name: str
    arn_formats: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionDefinition:
    """An action, without its service's prefix. `resources` are the resource types that it is about; without any it is asked on `*`."""

    name: str
    level: Level
    resources: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceDefinition:
    """A service by its action prefix, with all that policies can name of it, each in the order of its name."""

    name: str
    actions: tuple[ActionDefinition, ...] = ()
    resources: tuple[ResourceDefinition, ...] = ()
    keys: tuple[KeyDefinition, ...] = ()

    @cached_property
    def _actions(self) -> Mapping[str, ActionDefinition]:
        return {action.name.lower(): action for action in self.actions}

    @cached_property
    def _resources(self) -> Mapping[str, ResourceDefinition]:
        return {resource.name: resource for resource in self.resources}

    @cached_property
    def _keys(self) -> Mapping[str, KeyDefinition]:
        """By the name in lower case; of a key with a variable, such as `aws:ResourceTag/${TagKey}`, what stands before it."""
        return {_stem(key.name): key for key in self.keys}

    @cached_property
    def arns(self) -> tuple[tuple[ResourceDefinition, str], ...]:
        """The resource types with the formats of their ARNs as patterns, a star for each variable; the most particular first."""
        found = [(resource, _VARIABLE.sub("*", form)) for resource in self.resources for form in resource.arn_formats]
        return tuple(sorted(found, key=lambda one: -len(one[1].replace("*", ""))))

    def get_action(self, name: str) -> ActionDefinition | None:
        """The action of a name without prefix, in any case."""
        return self._actions.get(name.lower())

    def get_resource(self, name: str) -> ResourceDefinition | None:
        """The resource type of a name."""
        return self._resources.get(name)

    def get_key(self, name: str) -> KeyDefinition | None:
        """The condition key of a name, in any case; `orders:ResourceTag/color` is the one written `orders:ResourceTag/${TagKey}`."""
        lowered = name.lower()
        return self._keys.get(lowered) or self._keys.get(lowered.partition("/")[0] + "/")

    def type_of(self, arn: str) -> ResourceDefinition | None:
        """The resource type whose ARNs look like this one; the most particular, where several do."""
        for resource, pattern in self.arns:
            if patterns.matcher(patterns.tokens(pattern))(arn):
                return resource
        return None


def read(text: str, *, most: int = MAX_TEXT) -> ServiceDefinition:
    """The definition that a text is, or InvalidServiceDefinition; `most` are the characters that it may have."""
    try:
        value = strict_json.decode(text, most=most)
    except JsonError as error:
        raise InvalidServiceDefinition(f"the definition is not JSON of the permitted kind: {error.message}") from None
    root = _object(value, "the definition")
    name = _text(root.get("Name"), "Name", _SERVICE)
    left = _Left(MAX_REFERENCES)
    resources = tuple(_each(root, "Resources", MAX_RESOURCES, lambda one, at: _resource(one, at, left)))
    actions = tuple(_each(root, "Actions", MAX_ACTIONS, lambda one, at: _action(one, at, left)))
    keys = tuple(_each(root, "ConditionKeys", MAX_KEYS, _key))
    _refuse_repeated("Actions", (action.name.lower() for action in actions))
    _refuse_repeated("Resources", (resource.name for resource in resources))
    _refuse_repeated("ConditionKeys", (_stem(key.name) for key in keys))
    known = {resource.name for resource in resources}
    for action in actions:
        for resource in action.resources:
            if resource not in known:
                raise InvalidServiceDefinition(f"the action `{action.name}` is about `{resource}`, which is not among Resources")
    listed = {_stem(key.name) for key in keys}
    named = dict.fromkeys(key for one in (*actions, *resources) for key in one.keys)
    unlisted = {_stem(key): KeyDefinition(key) for key in named if _stem(key) not in listed}  # AWS's own files leave some out
    return made(name, actions, resources, (*keys, *unlisted.values()))


def made(
    name: str, actions: Iterable[ActionDefinition], resources: Iterable[ResourceDefinition], keys: Iterable[KeyDefinition]
) -> ServiceDefinition:
    """A definition with everything in the order of its name."""
    return ServiceDefinition(
        name,
        tuple(sorted(actions, key=lambda one: one.name)),
        tuple(sorted(resources, key=lambda one: one.name)),
        tuple(sorted(keys, key=lambda one: one.name)),
    )


def write(definition: ServiceDefinition) -> str:
    """The definition as a text that `read` takes, without blanks; equal definitions are equal texts."""
    return json.dumps(
        {
            "Name": definition.name,
            "Actions": [_action_shape(action) for action in definition.actions],
            "Resources": [
                {"Name": one.name, "ARNFormats": one.arn_formats, **({"ConditionKeys": one.keys} if one.keys else {})}
                for one in definition.resources
            ],
            "ConditionKeys": [{"Name": key.name, "Types": key.types} for key in definition.keys],
        },
        separators=(",", ":"),
    )


def expand(pattern: str, definitions: Mapping[str, ServiceDefinition]) -> tuple[str, ...]:
    """The actions of these services, by prefix, that an action pattern of a policy matches, spelled as they are defined: `iam:GetUser`.

    At most `MAX_EXPANDED`, in the order of their names; none of a service that is not among the definitions.
    """
    if pattern in ("*", "*:*"):
        return tuple(
            sorted(f"{service.name}:{action.name}" for service in definitions.values() for action in service.actions)[:MAX_EXPANDED]
        )
    prefix, _, name = pattern.partition(":")
    service = definitions.get(prefix.lower())
    if service is None:
        return ()
    matches = patterns.matcher(patterns.tokens(name.lower()))
    return tuple(f"{service.name}:{action.name}" for action in service.actions if matches(action.name.lower()))[:MAX_EXPANDED]


class _Left:
    """How many more references a definition may have."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise InvalidServiceDefinition(f"the definition names more than {MAX_REFERENCES} resource types and condition keys")


def _action(value: Mapping[str, Any], at: str, left: _Left) -> ActionDefinition:
    name = _text(value.get("Name"), f"{at}.Name", _ACTION)
    keys = [_text(key, f"{at}.ActionConditionKeys", _KEY) for key in _list(value, "ActionConditionKeys", at, MAX_KEYS)]
    resources = []
    for one in _list(value, "Resources", at, MAX_RESOURCES):
        about = _object(one, f"{at}.Resources")
        resources.append(_text(about.get("Name"), f"{at}.Resources.Name", _NAME))
        keys += [_text(key, f"{at}.Resources.ConditionKeys", _KEY) for key in _list(about, "ConditionKeys", at, MAX_KEYS)]
        left.take(1)
    left.take(len(keys))
    return ActionDefinition(name, _level(value, at), tuple(dict.fromkeys(resources)), tuple(sorted(set(keys))))


def _level(value: Mapping[str, Any], at: str) -> Level:
    """The level that the annotations say; without any it is Write, for nobody then promised that it changes nothing."""
    annotations = value.get("Annotations")
    if annotations is None:
        return Level.WRITE
    properties = _object(_object(annotations, f"{at}.Annotations").get("Properties", {}), f"{at}.Annotations.Properties")
    for name in _PROPERTIES:
        if not isinstance(properties.get(name, False), bool):
            raise InvalidServiceDefinition(f"{at}.Annotations.Properties.{name} is neither true nor false")
    return next((level for name, level in _PROPERTIES.items() if properties.get(name)), Level.READ)


def _resource(value: Mapping[str, Any], at: str, left: _Left) -> ResourceDefinition:
    name = _text(value.get("Name"), f"{at}.Name", _NAME)
    formats = [_text(one, f"{at}.ARNFormats", _FORMAT) for one in _list(value, "ARNFormats", at, MAX_FORMATS)]
    for form in formats:
        if form.count(":") < 5:
            raise InvalidServiceDefinition(f"{at}.ARNFormats has `{form[:128]}`, which does not have the six segments of an ARN")
    keys = [_text(key, f"{at}.ConditionKeys", _KEY) for key in _list(value, "ConditionKeys", at, MAX_KEYS)]
    left.take(len(formats) + len(keys))
    return ResourceDefinition(name, tuple(dict.fromkeys(formats)), tuple(sorted(set(keys))))


def _key(value: Mapping[str, Any], at: str) -> KeyDefinition:
    types = [_text(one, f"{at}.Types", _TYPE) for one in _list(value, "Types", at, 16)]
    return KeyDefinition(_text(value.get("Name"), f"{at}.Name", _KEY), tuple(dict.fromkeys(types)) or ("String",))


def _each(root: Mapping[str, Any], member: str, most: int, one: Callable[[Mapping[str, Any], str], Any]) -> Iterator[Any]:
    for index, value in enumerate(_list(root, member, "", most)):
        at = f"{member}[{index}]"
        yield one(_object(value, at), at)


def _list(value: Mapping[str, Any], member: str, at: str, most: int) -> list[Any]:
    """The items of a member; none where it is not there."""
    found = value.get(member)
    where = f"{at}.{member}" if at else member
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidServiceDefinition(f"{where} is not a list")
    if len(found) > most:
        raise InvalidServiceDefinition(f"{where} has {len(found)} items; at most {most} are allowed")
    return found


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidServiceDefinition(f"{at} is not an object")
    return value


def _text(value: object, at: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or isinstance(value, strict_json.Number) or pattern.fullmatch(value) is None:
        shown = f"`{value[:128]}`" if isinstance(value, str) else "a value that is no text" if value is not None else "nothing"
        raise InvalidServiceDefinition(f"{at} has {shown}, which is not of the form {pattern.pattern}")
    return value


def _refuse_repeated(member: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise InvalidServiceDefinition(f"{member} has `{name}` twice")
        seen.add(name)


def _stem(name: str) -> str:
    """Under what a key is found: its name in lower case as far as the first variable."""
    return name.lower().partition("${")[0]


def _action_shape(action: ActionDefinition) -> Mapping[str, Any]:
    shape: dict[str, Any] = {"Name": action.name}
    if action.keys:
        shape["ActionConditionKeys"] = action.keys
    writes = action.level in (Level.WRITE, Level.TAGGING, Level.PERMISSIONS)
    shape["Annotations"] = {
        "Properties": {
            "IsList": action.level is Level.LIST,
            "IsPermissionManagement": action.level is Level.PERMISSIONS,
            "IsTaggingOnly": action.level is Level.TAGGING,
            "IsWrite": writes,
        }
    }
    if action.resources:
        shape["Resources"] = [{"Name": name} for name in action.resources]
    return shape
