"""A policy document: text -> frozen Policy and Statement, once; nothing after this reads JSON.

    document  = {"Version"?, "Id"?, "Statement": statement | [statement, ...]}
    statement = {"Sid"?, "Effect", "Principal" | "NotPrincipal"?, "Action" | "NotAction", "Resource" | "NotResource"?, "Condition"?}

Element names are case-sensitive. What a kind of policy demands beyond this grammar (a principal, a resource, ARNs) is `validate`'s.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import steps, strict_json
from sekisho.policy.strict_json import JsonError, Number, Path

Effect = Literal["Allow", "Deny"]

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."

VERSION = "2012-10-17"
OLD_VERSION = "2008-10-17"
_PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
_DOCUMENT_ELEMENTS = frozenset(("Version", "Id", "Statement"))
_STATEMENT_ELEMENTS = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator: `{"StringLike": {"aws:username": ["a*", "b*"]}}`; the values are alternatives."""

    operator: str  # as written: "ForAnyValue:StringLikeIfExists"
    key: str  # as written
    values: tuple[str, ...]  # JSON numbers and booleans as their text: 10 -> "10", true -> "true"


@dataclass(frozen=True, slots=True)
class Principals:
    """The value of a Principal or NotPrincipal element, as written, by its kinds."""

    everyone: bool = False  # "*" and {"AWS": "*"} alike
    any: bool = False  # the bare "*" only
    aws: tuple[str, ...] = ()  # account ids, ARNs, unique ids, "*"
    service: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; its conditions are all to be met."""

    index: int
    sid: str | None
    effect: Effect
    principals: Principals | None
    not_principal: bool
    actions: tuple[str, ...]
    not_action: bool
    resources: tuple[str, ...] | None  # None: no such element, as in trust policies
    not_resource: bool
    conditions: tuple[Condition, ...]
    line: int = 0  # 1-based line of the statement's `{`; 0 when there was no text


@dataclass(frozen=True, slots=True)
class Policy:
    """A document; without a Version it has the older one, in which variables are plain text."""

    version: str
    id: str | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with a document: where, what Access Analyzer calls it, what exactly it is, and how AWS refuses it."""

    path: Path
    issue: str
    detail: str
    sentence: str = ""  # "": AWS takes the document all the same
    at_key: bool = False  # the key of the member is wrong, not its value


def parse(text: str) -> Policy:
    """Read a policy document, or raise MalformedPolicyDocument."""
    policy, flaws = read_text(text)
    return _flawless(policy, flaws)


def from_json(value: object) -> Policy:
    """The same for JSON that is decoded already: dicts, lists, strings, numbers, booleans; lines are 0."""
    policy, flaws = read(value)
    return _flawless(policy, flaws)


def read_text(text: str) -> tuple[Policy, tuple[Flaw, ...]]:
    """Read as much as can be read, together with every flaw; raises MalformedPolicyDocument only where the text is no strict JSON."""
    try:
        value = strict_json.decode(text)
    except JsonError:
        raise MalformedPolicyDocument(SYNTAX) from None
    policy, flaws = read(value)
    return replace(policy, statements=tuple(_with_lines(policy.statements, text))), flaws


def read(value: object) -> tuple[Policy, tuple[Flaw, ...]]:
    """Read decoded JSON; the policy is faithful where there are no flaws, and a best effort for `findings` otherwise."""
    grammar = _Grammar()
    policy = grammar.document(value)
    return policy, tuple(grammar.flaws)


def _flawless(policy: Policy, flaws: tuple[Flaw, ...]) -> Policy:
    if flaws:
        # AWS reads the whole syntax first: a missing action in an early statement gives way to a syntax error in a later one.
        raise MalformedPolicyDocument(next((flaw.sentence for flaw in flaws if flaw.sentence == SYNTAX), flaws[0].sentence))
    return policy


def _with_lines(statements: tuple[Statement, ...], text: str) -> Iterator[Statement]:
    offsets = strict_json.statement_offsets(text)
    line, counted = 1, 0
    for statement in statements:
        steps.step()
        if statement.index < len(offsets):
            offset = offsets[statement.index]
            line, counted = line + text.count("\n", counted, offset), offset
        yield replace(statement, line=line)


class _Grammar:
    """Walks decoded JSON down the grammar above, gathering flaws as it goes; it never descends further than the grammar does."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []

    def document(self, value: object) -> Policy:
        members = self._members(value, (), _DOCUMENT_ELEMENTS)
        version = self._text(members.get("Version", OLD_VERSION), ("Version",))
        if version not in (VERSION, OLD_VERSION):
            self._flaw(("Version",), "INVALID_VERSION", f"version `{version[:64]}` is neither {VERSION} nor {OLD_VERSION}")
        name = self._text(members["Id"], ("Id",)) if "Id" in members else None
        listed = members.get("Statement")
        if isinstance(listed, list):
            statements = tuple(self._statement(item, ("Statement", i), i) for i, item in enumerate(listed))
        elif listed is not None:
            statements = (self._statement(listed, ("Statement",), 0),)
        else:
            statements = ()
        if not statements:
            self._flaw(("Statement",) if "Statement" in members else (), "MISSING_STATEMENT", "the document has no statement")
        return Policy(version, name, statements)

    def _statement(self, value: object, path: Path, index: int) -> Statement:
        steps.step()
        members = self._members(value, path, _STATEMENT_ELEMENTS)
        effect = members.get("Effect")
        if "Effect" not in members:
            self._flaw(path, "MISSING_EFFECT", "the statement has no Effect")
        elif effect not in ("Allow", "Deny"):
            # AWS tells the two apart: a wrong case passes its grammar and fails its older parser.
            sentence = LEGACY if isinstance(effect, str) and effect.lower() in ("allow", "deny") else SYNTAX
            self._flaw((*path, "Effect"), "INVALID_EFFECT", "the Effect is neither `Allow` nor `Deny`", sentence)
        action = self._one_of(members, path, "Action", "NotAction")
        resource = self._one_of(members, path, "Resource", "NotResource")
        principal = self._one_of(members, path, "Principal", "NotPrincipal")
        actions = self._texts(members[action], (*path, action)) if action else ()
        resources = self._texts(members[resource], (*path, resource)) if resource else None
        if not actions:
            self._flaw((*path, action) if action else path, "MISSING_ACTION", "the statement names no action", NO_ACTIONS)
        if resources == ():
            self._flaw((*path, str(resource)), "EMPTY_ARRAY_RESOURCE", "the list of resources is empty", NO_RESOURCES)
        return Statement(
            index=index,
            sid=self._text(members["Sid"], (*path, "Sid")) if "Sid" in members else None,
            effect="Allow" if effect == "Allow" else "Deny",
            principals=self._principals(members[principal], (*path, principal)) if principal else None,
            not_principal=principal == "NotPrincipal",
            actions=actions,
            not_action=action == "NotAction",
            resources=resources,
            not_resource=resource == "NotResource",
            conditions=tuple(self._conditions(members["Condition"], (*path, "Condition"))) if "Condition" in members else (),
        )

    def _principals(self, value: object, path: Path) -> Principals:
        if value == "*":
            return Principals(everyone=True, any=True)
        members = self._members(value, path, _PRINCIPAL_KINDS, issue="INVALID_PRINCIPAL_KEY")
        aws, service, federated, canonical = (
            self._texts(members[kind], (*path, kind)) if kind in members else () for kind in _PRINCIPAL_KINDS
        )
        return Principals(everyone="*" in aws, aws=aws, service=service, federated=federated, canonical=canonical)

    def _conditions(self, value: object, path: Path) -> Iterator[Condition]:
        for operator, keys in self._members(value, path).items():
            for key, values in self._members(keys, (*path, operator)).items():
                yield Condition(operator, key, self._scalars(values, (*path, operator, key)))

    def _scalars(self, value: object, path: Path) -> tuple[str, ...]:
        if isinstance(value, list):
            return tuple(self._scalar(item, (*path, i)) for i, item in enumerate(value))
        return (self._scalar(value, path),)

    def _scalar(self, value: object, path: Path) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Number):
            return str(value)
        if isinstance(value, int) and value.bit_length() <= 128:
            return str(value)
        if isinstance(value, float) and math.isfinite(value):
            return repr(value)
        return self._text(value, path)

    def _texts(self, value: object, path: Path) -> tuple[str, ...]:
        if isinstance(value, list):
            return tuple(self._text(item, (*path, i)) for i, item in enumerate(value))
        return (self._text(value, path),)

    def _text(self, value: object, path: Path) -> str:
        if not isinstance(value, str) or isinstance(value, Number):
            self._flaw(path, "DATA_TYPE_MISMATCH", "a string is expected here")
            return ""
        if not strict_json.is_printable(value):
            self._flaw(path, "JSON_SYNTAX_ERROR", "the string has a control character or half of a surrogate pair")
            return ""
        return value

    def _members(
        self, value: object, path: Path, known: Collection[str] | None = None, issue: str = "INVALID_POLICY_ELEMENT"
    ) -> dict[str, object]:
        if not isinstance(value, dict):
            self._flaw(path, "DATA_TYPE_MISMATCH", "an object is expected here")
            return {}
        members: dict[str, object] = {}
        for key, member in value.items():
            if not isinstance(key, str) or not strict_json.is_printable(key) or (known is not None and key not in known):
                shown = str(key)[:64].encode("ascii", "backslashreplace").decode()
                self.flaws.append(Flaw((*path, str(key)), issue, f"unknown element `{shown}`", SYNTAX, at_key=True))
            else:
                members[key] = member
        return members

    def _one_of(self, members: dict[str, object], path: Path, plain: str, negated: str) -> str | None:
        if plain in members and negated in members:
            self._flaw((*path, negated), "UNSUPPORTED_ELEMENT_COMBINATION", f"{plain} and {negated} stand in one statement")
        return plain if plain in members else negated if negated in members else None

    def _flaw(self, path: Path, issue: str, detail: str, sentence: str = SYNTAX) -> None:
        self.flaws.append(Flaw(path, issue, detail, sentence))
