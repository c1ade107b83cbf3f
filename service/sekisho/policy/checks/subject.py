"""The document under examination, and the JSON paths of its parts."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

from sekisho.policy import positions
from sekisho.policy.definitions import ServiceDefinition
from sekisho.policy.document import VERSION, Condition, Flaw, Policy, Statement
from sekisho.policy.kinds import DEMANDS, Kind
from sekisho.policy.strict_json import Path


class Subject:
    """A policy as read, with its text and the kind it is to be; `definitions` are those of services, by action prefix."""

    def __init__(
        self,
        text: str,
        kind: Kind,
        policy: Policy,
        grammar: tuple[Flaw, ...],
        definitions: Mapping[str, ServiceDefinition] = MappingProxyType({}),
    ) -> None:
        self.text = text
        self.kind = kind
        self.demands = DEMANDS[kind]
        self.policy = policy
        self.grammar = grammar
        self.definitions = definitions

    @cached_property
    def positions(self) -> positions.Positions:
        """Found only when somebody asks where a flaw is."""
        return positions.locate(self.text)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements of the policy."""
        return self.policy.statements

    @property
    def has_variables(self) -> bool:
        """In documents of the older version `${...}` is plain text."""
        return self.policy.version == VERSION


Check = Callable[[Subject], Iterator[Flaw]]


def at(statement: Statement, *steps: str | int) -> Path:
    """The path of a statement, or of something within it."""
    return ("Statement", statement.index, *steps)


def action_element(statement: Statement) -> str:
    """`Action` or `NotAction`, whichever the statement has."""
    return "NotAction" if statement.not_action else "Action"


def resource_element(statement: Statement) -> str:
    """`Resource` or `NotResource`, whichever the statement has."""
    return "NotResource" if statement.not_resource else "Resource"


def principal_element(statement: Statement) -> str:
    """`Principal` or `NotPrincipal`, whichever the statement has."""
    return "NotPrincipal" if statement.not_principal else "Principal"


def actions(subject: Subject) -> Iterator[tuple[str, Path]]:
    """Every action pattern of the document with its path."""
    for statement in subject.statements:
        for i, action in enumerate(statement.actions):
            yield action, at(statement, action_element(statement), i)


def resources(subject: Subject) -> Iterator[tuple[str, Path]]:
    """Every resource pattern of the document with its path."""
    for statement in subject.statements:
        for i, resource in enumerate(statement.resources or ()):
            yield resource, at(statement, resource_element(statement), i)


def conditions(subject: Subject) -> Iterator[tuple[Statement, Condition, Path]]:
    """Every condition of the document with the path of its key."""
    for statement in subject.statements:
        for condition in statement.conditions:
            yield statement, condition, at(statement, "Condition", condition.operator, condition.key)


def principals(statement: Statement) -> Iterator[tuple[str, str, Path]]:
    """The principals that a statement names by kind: `("AWS", "111122223333", path)`; a bare `*` is none of them."""
    named = statement.principals
    if named is None or named.any:
        return
    element = principal_element(statement)
    for kind, values in (
        ("AWS", named.aws),
        ("Service", named.service),
        ("Federated", named.federated),
        ("CanonicalUser", named.canonical),
    ):
        for i, value in enumerate(values):
            yield kind, value, at(statement, element, kind, i)


def short(text: str) -> str:
    """The text in backticks for a message, cut where it is long."""
    return f"`{text}`" if len(text) <= 96 else f"`{text[:96]}…`"
