"""Rules: which action a method is, on which resource, with which context."""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sekisho import world
from sekisho.client.decisions import Question, Value
from sekisho.client.guard import templates
from sekisho.client.guard.fields import Absent, Read, Unreadable, scalars
from sekisho.client.guard.templates import ACCOUNT, NAME, Template

Field = str | Callable[[Any], Value]
"""A field by its name (`amount`; `note?` may be missing), or what makes the value from the request."""

_ACTION = re.compile(r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+")
_NAMED = re.compile(rf"{NAME}(?:\[\])?\??")


class Stream(enum.Enum):
    """Which messages of a client's stream are decided about."""

    EVERY = "every"
    """The first before the handler starts, each further one before the handler gets it, where it asks for another resource or context."""
    FIRST = "first"
    """The first alone, before the handler starts: the others are its payload."""
    METADATA = "metadata"
    """None: the decision is made before the first comes. The rule reads no field then, and a signature is over no bytes."""


class _Public(enum.Enum):
    PUBLIC = "public"


PUBLIC = _Public.PUBLIC
"""Instead of a rule: everybody may, and nobody is asked. For health checks and the like."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a method asks for: an action, and the resource's ARN as a template.

    `context` are condition keys. `tags`, `account` and `policy` say from the request what the service knows of the resource: its tags,
    whose it is (where that is not in the ARN) and its own policy. Whatever of these fails is a denial. ValueError for a wrong rule.
    """

    action: str
    resource: str
    context: Mapping[str, Field] = field(default_factory=dict)
    tags: Callable[[Any], Mapping[str, str]] | None = None
    account: Callable[[Any], str] | None = None
    policy: Callable[[Any], str | Mapping[str, Any] | None] | None = None
    stream: Stream = Stream.EVERY
    template: Template = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if _ACTION.fullmatch(self.action) is None or not 3 <= len(self.action) <= 192:
            raise ValueError(f"`{self.action}` is not one action, such as orders:ShipOrder")
        object.__setattr__(self, "template", templates.parse(self.resource))
        _check_context(self.context)
        reads = self.template.fields or self.context or self.tags or self.account or self.policy
        if self.stream is Stream.METADATA and reads:
            raise ValueError(f"{self.action}: a decision on metadata alone reads nothing of a message")


Rules = Mapping[str, Rule | _Public]


def _check_context(context: Mapping[str, Field]) -> None:
    seen: set[str] = set()
    for key, source in context.items():
        lowered = key.lower()
        if ":" not in key or lowered in seen:
            raise ValueError(f"`{key}` is not a condition key, such as orders:Amount, or is given twice")
        if world.is_reserved(key):
            raise ValueError(f"the condition key `{key}` comes from the principal or from Sekisho and cannot be given")
        if isinstance(source, str) and _NAMED.fullmatch(source) is None:
            raise ValueError(f"`{source}` for `{key}` is no field; write NAME or NAME.MEMBER, and NAME? where it may be missing")
        seen.add(lowered)


Reader = Callable[[str, bool], Read]
"""Says how a field is read from requests of one kind; true when it goes into an ARN."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule with the readers of its fields; makes the question of one request."""

    rule: Rule
    resource: tuple[tuple[str, Read], ...]
    context: tuple[tuple[str, Read, bool], ...]

    def question(self, request: Any, account: str) -> Question:
        """What to ask about a request; Unreadable when it does not say enough. `account` is the service's own."""
        rule = self.rule
        values: dict[str, Value] = {name: read(request) for name, read in self.resource}
        values[ACCOUNT] = account
        context: dict[str, Value] = {}
        for key, read, optional in self.context:
            try:
                context[key] = read(request)
            except Absent:
                if not optional:
                    raise
        return Question(
            action=rule.action,
            resource=rule.template.fill(values),
            context=context,
            resource_tags=_made("tags", rule.tags, request),
            resource_account=_made("account", rule.account, request),
            resource_policy=_made("policy", rule.policy, request),
        )


def bind(rule: Rule, reader: Reader) -> Bound:
    """A rule for requests of one kind; ValueError when they have not the fields that it names."""
    context = []
    for key, source in rule.context.items():
        if isinstance(source, str):
            name, optional = source.removesuffix("?"), source.endswith("?")
            context.append((key, reader(name, False), optional))
        else:
            context.append((key, _called(key, source), False))
    return Bound(rule, tuple((name, reader(name, True)) for name in rule.template.fields), tuple(context))


def _called(key: str, function: Callable[[Any], Value]) -> Read:
    return lambda request: scalars(_made(key, function, request), key)


def _made(name: str, function: Callable[[Any], Any] | None, request: Any) -> Any:
    if function is None:
        return None
    try:
        return function(request)
    except Exception as error:  # whatever a service's own function fails with
        raise Unreadable(f"`{name}` of the rule failed with {type(error).__name__}") from error
