"""A statement made ready to be asked: its actions, resources, principals and conditions, each as one test.

`covers_action` and `covers_resource` say alone what the indexes of a Program say together.
"""

from collections.abc import Callable, Iterable

from sekisho.policy import conditions, patterns, variables
from sekisho.policy.document import Condition, Statement
from sekisho.policy.keys import Values
from sekisho.policy.patterns import ANY, Wildcard
from sekisho.policy.principals import Grantees

ResourceTest = Callable[[str, Values], bool]
ActionTest = Callable[[str, str], bool]  # of a service and a name in lower case


class Rule:
    """One statement; immutable."""

    __slots__ = (
        "actions",
        "cost",
        "covers",
        "deny",
        "dynamic",
        "grantees",
        "guard",
        "referred",
        "resources",
        "statement",
        "test",
        "tests",
    )

    def __init__(self, statement: Statement, *, dynamic: bool) -> None:
        self.statement = statement
        self.deny = statement.effect == "Deny"
        self.dynamic = dynamic
        self.actions = tuple(_action(pattern) for pattern in statement.actions)
        self.resources = tuple(variables.parse(text, variables=dynamic, wildcards=True) for text in statement.resources or ())
        self.covers = tuple(_resource_test(parts) for parts in self.resources)
        made = [conditions.compiled(condition, deny=self.deny, dynamic=dynamic) for condition in statement.conditions]
        self.tests: tuple[tuple[Condition, conditions.Test], ...] = tuple(
            zip(statement.conditions, [test for test, _ in made], strict=True)
        )
        self.referred = _referred(*self.resources, *(referred for _, referred in made)) if dynamic else ()
        # A Deny is not undone by a variable without a value: only what names it does not fit.
        self.guard = None if self.deny else variables.guard(self.referred)
        self.test = _all([*([self.guard] if self.guard else ()), *(test for test, _ in made)])
        self.grantees = Grantees(statement) if statement.principals is not None else None
        self.cost = _cost(statement)

    def covers_action(self, action: str) -> bool:
        """Whether the statement is about the action, which is given in lower case."""
        service, _, name = action.partition(":")
        return any(matches(service, name) for _, _, matches in self.actions) is not self.statement.not_action

    def covers_resource(self, resource: str, context: Values) -> bool:
        """Whether the statement is about the resource; without a Resource element it is about all."""
        if self.statement.resources is None:
            return True
        return any(covers(resource, context) for covers in self.covers) is not self.statement.not_resource


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


def _resource_test(parts: tuple[variables.Part, ...]) -> ResourceTest:
    static = tuple(part for part in parts if not isinstance(part, variables.Variable))
    if len(static) == len(parts):
        matches = patterns.resource_matcher(static)
        return lambda resource, _context: matches(resource)

    def dynamic(resource: str, context: Values) -> bool:
        resolved = variables.resolve(parts, context)
        return resolved is not None and patterns.resource_matcher(resolved)(resource)

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


def _cost(statement: Statement) -> tuple[int, int, int]:
    """How many comparisons a statement may take whatever is asked, how many for each value of a key, how many for each character."""
    resources = statement.resources or ()
    listed = [value for condition in statement.conditions if not conditions.is_exact(condition) for value in condition.values]
    return 1 + len(resources) + len(statement.conditions), len(listed), sum(map(_is_slow, (*resources, *listed)))


def _is_slow(text: str) -> bool:
    return ("?" in text or "*" in text[:-1]) and patterns.is_slow(patterns.tokens(text))
