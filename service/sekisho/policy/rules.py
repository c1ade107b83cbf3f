"""A statement made ready to be asked: its actions, resources, principals and conditions, each as one test.

`covers_action` and `covers_resource` say alone what the indexes of a Program say together.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sekisho.policy import budget, conditions, patterns, steps, variables, weights
from sekisho.policy.budget import Weight
from sekisho.policy.document import Condition, Statement
from sekisho.policy.keys import Values
from sekisho.policy.patterns import ANY, Wildcard
from sekisho.policy.principals import Grantees

ResourceTest = Callable[[str, Values], bool]
ActionTest = Callable[[str, str], bool]  # of a service and a name in lower case


class Rule:
    """One statement; immutable."""

    __slots__ = (
        "_about",
        "_guard",
        "actions",
        "anchors",
        "conditions",
        "covers",
        "deny",
        "dynamic",
        "grantees",
        "places",
        "reach",
        "referred",
        "resources",
        "statement",
        "test",
        "tests",
        "told",
        "weight",
    )

    def __init__(self, statement: Statement, *, dynamic: bool) -> None:
        steps.step()
        self.statement = statement
        self.anchors: tuple[Any, ...] | None = None  # the index's to find and to keep (`anchors.Anchor`)
        self.deny = statement.effect == "Deny"
        self.dynamic = dynamic
        self.actions = tuple(_action(pattern) for pattern in statement.actions)
        self.resources = tuple(completed(variables.parse(text, variables=dynamic, wildcards=True)) for text in statement.resources or ())
        self.covers = tuple(_resource_test(parts) for parts in self.resources)
        made = [conditions.compiled(condition, deny=self.deny, dynamic=dynamic) for condition in statement.conditions]
        self.conditions = tuple(made)  # one for each of the statement's
        written = statement.conditions
        self.tests: tuple[tuple[str, Condition, conditions.Compiled], ...] = tuple(  # key in lower case; as written; made ready
            zip([condition.key.lower() for condition in written], written, made, strict=True)
        )
        self.places = _referred(*self.resources) if dynamic else ()  # the variables among the resources
        self.referred = _referred(self.places, *(condition.referred for condition in made)) if dynamic else ()
        self._guard = None if self.deny else variables.guard(self.places)
        self.test = _all([condition.test for condition in made])
        self.grantees = Grantees(statement) if statement.principals is not None else None
        self.reach = tuple(weights.resource(parts) for parts in self.resources)  # what asking each of the resources weighs
        self.weight = budget.total(condition.weight for condition in made)  # ... and all of the conditions
        if self._guard is not None:
            self.weight = budget.plus(self.weight, weights.TEST * (1 + len(self.places)))
        self.told = weights.TOLD + weights.LACKING * (len(made) + len(self.referred))  # ... to be among the reasons of a decision
        self._about: Weight | None = None

    def covers_action(self, action: str) -> bool:
        """Whether the statement is about the action, which is given in lower case."""
        service, _, name = action.partition(":")
        return any(matches(service, name) for _, _, matches in self.actions) is not self.statement.not_action

    def covers_resource(self, resource: str, context: Values) -> bool:
        """Whether the statement is about the resource; without a Resource element it is about all."""
        if self.statement.resources is None:
            return True
        for covers in self.covers:
            if covers(resource, context):
                return not self.statement.not_resource
        # What a NotResource spares cannot be told without its variables: a Deny spares nothing, an Allow does not match.
        return self.statement.not_resource and not self.is_open(context)

    @property
    def keys(self) -> Iterator[str]:
        """The condition keys that the statement reads, in lower case; some more than once."""
        yield from (key for key, _, _ in self.tests)
        yield from (variable.key for variable in self.referred)

    def is_open(self, context: Values) -> bool:
        """Whether an Allow has a resource that names a variable without a value, so that more may be known with it."""
        return self._guard is not None and not self._guard(context)

    @property
    def about(self) -> Weight:
        """What all that the statement can be asked weighs, and telling it."""
        if self._about is None:
            self._about = budget.plus(budget.total((*self.reach, self.weight)), self.told)
        return self._about

    def beside(self, settled: int) -> conditions.Test | None:
        """The test of all conditions but one."""
        return _all([condition.test for i, condition in enumerate(self.conditions) if i != settled])


def _action(pattern: str) -> tuple[str | None, str | None, ActionTest]:
    """(service, name, test) of an action pattern; the first two only where they are literal. A star never crosses the colon."""
    pattern = pattern.lower()
    if not pattern.strip("*"):
        return None, None, lambda _service, _name: True
    before, colon, after = pattern.partition(":")
    if not colon:
        return None, None, lambda _service, _name: False
    service, name = (None if "*" in part or "?" in part else part for part in (before, after))
    matches_name = patterns.matcher(patterns.tokens(after))
    if service is not None:
        return service, name, lambda given, rest: given == service and matches_name(rest)
    matches_service = patterns.matcher(patterns.tokens(before))
    return None, name, lambda given, rest: matches_service(given) and matches_name(rest)


def completed(parts: tuple[variables.Part, ...]) -> tuple[variables.Part, ...]:
    """A resource pattern with a star for each field of an ARN that it lacks: `arn:aws:sqs` is `arn:aws:sqs:*:*:*`.

    So AWS completes what identity-based policies say. A star at the very end is enough: it runs over all that follows.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    if not parts or parts[-1] is ANY or not isinstance(parts[0], str) or not parts[0].startswith("arn:"):
        return parts
    lacking = 5 - sum(part.count(":") for part in parts if isinstance(part, str))
    if lacking <= 0:
        return parts
    last = f"{parts[-1]}:" if isinstance(parts[-1], str) else ":"
    return (*(parts[:-1] if isinstance(parts[-1], str) else parts), last, ANY, *(":", ANY) * (lacking - 1))


def _resource_test(parts: tuple[variables.Part, ...]) -> ResourceTest:
    static = tuple(part for part in parts if not isinstance(part, variables.Variable))
    if len(static) == len(parts):
        matches = patterns.resource_matcher(static)
        return lambda resource, _context: matches(resource)

    def dynamic(resource: str, context: Values) -> bool:
        resolved = variables.resolve(parts, context)
        # A pattern longer than the text is not even made.
        return resolved is not None and patterns.least(resolved) <= len(resource) and patterns.resource_matcher(resolved)(resource)

    stem = parts[:-1] if parts[-1] is ANY else parts
    if any(isinstance(part, Wildcard) for part in stem):
        return dynamic

    def simple(resource: str, context: Values) -> bool:
        text = variables.join(stem, context)
        if text is None:
            return False
        return resource == text if stem is parts else resource.startswith(text)

    return simple


def _referred(*texts: Iterable[variables.Part]) -> tuple[variables.Variable, ...]:
    return tuple(dict.fromkeys(variable for parts in texts for variable in variables.referred(parts)))


def _all(tests: list[conditions.Test]) -> conditions.Test | None:
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda context: first(context) and second(context)

    def every(context: Values) -> bool:
        for test in tests:
            if not test(context):
                return False
        return True

    return every
