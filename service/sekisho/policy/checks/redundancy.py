"""What could be left out of a policy without changing a decision, and what an unconditional Deny leaves no room for.

Comparing is quadratic, so each examination has an allowance of steps; a document that uses it up gets fewer of these findings.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial, wraps

from sekisho.policy import steps
from sekisho.policy.checks.coverage import covers, is_wild
from sekisho.policy.checks.subject import (
    Check,
    Subject,
    action_element,
    at,
    resource_element,
    short,
)
from sekisho.policy.document import Flaw, Statement
from sekisho.policy.strict_json import Path

_ALLOWANCE = 1_000_000
_COMPARISON = 16  # what a comparison costs beside the characters that it reads


class _SpentError(Exception):
    """The allowance is used up."""


class _Allowance:
    def __init__(self) -> None:
        self.left = _ALLOWANCE

    def spend(self, steps: int) -> None:
        """Take steps from what is left, or end the examination."""
        self.left -= steps
        if self.left < 0:
            raise _SpentError

    def covers(self, general: str, special: str, *, resource: bool) -> bool:
        """As `coverage.covers`, while the allowance lasts."""
        self.spend(len(special) + _COMPARISON)
        return covers(general, special, resource=resource)

    def covers_all(self, general: Sequence[str], special: Sequence[str], *, resource: bool) -> bool:
        """Whether each of the special patterns is covered by one of the general ones."""
        exact = set(general)
        wild = [one for one in general if is_wild(one)]
        return all(other in exact or any(self.covers(one, other, resource=resource) for one in wild) for other in special)


def _economical(check: Callable[[Subject, _Allowance], Iterator[Flaw]]) -> Check:
    """The check with an allowance of its own, ending where that ends."""

    @wraps(check)
    def examine(subject: Subject) -> Iterator[Flaw]:
        with suppress(_SpentError):
            yield from check(subject, _Allowance())

    return examine


@_economical
def redundant_actions(subject: Subject, allowance: _Allowance) -> Iterator[Flaw]:
    """An action that stands twice in a list, or that another of the list covers."""
    for statement in subject.statements:
        path = at(statement, action_element(statement))
        lowered = tuple(action.lower() for action in statement.actions)
        yield from _redundant(lowered, statement.actions, path, "REDUNDANT_ACTION", partial(allowance.covers, resource=False))


@_economical
def redundant_resources(subject: Subject, allowance: _Allowance) -> Iterator[Flaw]:
    """A resource that stands twice in a list, or that another of the list covers."""
    for statement in subject.statements:
        path = at(statement, resource_element(statement))
        listed = statement.resources or ()
        yield from _redundant(listed, listed, path, "REDUNDANT_RESOURCE", partial(allowance.covers, resource=True))


@_economical
def redundant_statements(subject: Subject, allowance: _Allowance) -> Iterator[Flaw]:
    """A statement that another of the same effect covers, under the same conditions or none."""
    for statement in subject.statements:
        steps.step()
        for other in subject.statements:
            if other is statement or other.effect != statement.effect or not _within(statement, other, allowance):
                continue
            # Two that cover each other: the later one is the redundant one.
            if other.index > statement.index and _within(other, statement, allowance):
                continue
            detail = f"statement {other.index} of the document says this already"
            yield Flaw(at(statement), "REDUNDANT_STATEMENT", detail)
            break


@_economical
def unreachable_statements(subject: Subject, allowance: _Allowance) -> Iterator[Flaw]:
    """An Allow all of which an unconditional Deny of the same document takes back."""
    denies = [statement for statement in subject.statements if statement.effect == "Deny" and not statement.conditions]
    for statement in subject.statements:
        if statement.effect == "Deny":
            continue
        for deny in denies:
            if _within(statement, deny, allowance):
                yield Flaw(at(statement), "UNREACHABLE_STATEMENT", f"statement {deny.index} of the document denies all of this")
                break


def _redundant(
    patterns: Sequence[str], written: Sequence[str], path: Path, issue: str, covered: Callable[[str, str], bool]
) -> Iterator[Flaw]:
    seen: set[str] = set()
    wild = [pattern for pattern in dict.fromkeys(patterns) if is_wild(pattern)]
    for i, pattern in enumerate(patterns):
        if pattern in seen:
            yield Flaw((*path, i), issue, f"{short(written[i])} stands here twice")
            continue
        seen.add(pattern)
        general = next((one for one in wild if one != pattern and covered(one, pattern)), None)
        # `a*` and `a**` cover each other: only the later one is redundant.
        if general is not None and (general in seen or not covered(pattern, general)):
            yield Flaw((*path, i), issue, f"{short(general)} covers {short(written[i])}")


def _within(inner: Statement, outer: Statement, allowance: _Allowance) -> bool:
    """Whether `outer` certainly applies to every request that `inner` applies to."""
    allowance.spend(_COMPARISON)
    same_principals = (inner.principals, inner.not_principal) == (outer.principals, outer.not_principal)
    outer_everyone = outer.principals is not None and outer.principals.everyone and not outer.not_principal
    if not (same_principals or outer_everyone) or not set(outer.conditions) <= set(inner.conditions):
        return False
    sides = (inner.actions, outer.actions, inner.resources or (), outer.resources or ())
    allowance.spend(sum(len(side) for side in sides))
    inner_actions = [action.lower() for action in inner.actions]
    outer_actions = [action.lower() for action in outer.actions]
    covered = partial(_patterns_within, allowance=allowance)
    return covered(inner_actions, inner.not_action, outer_actions, outer.not_action, resource=False) and covered(
        inner.resources or ("*",), inner.not_resource, outer.resources or ("*",), outer.not_resource, resource=True
    )


def _patterns_within(
    inner: Sequence[str], inner_negated: bool, outer: Sequence[str], outer_negated: bool, *, allowance: _Allowance, resource: bool
) -> bool:
    if inner_negated and outer_negated:
        return allowance.covers_all(inner, outer, resource=resource)  # what outer leaves out, inner leaves out too
    if outer_negated:
        return False  # whether two patterns are disjoint is not decided here
    if inner_negated:
        return "*" in outer
    return allowance.covers_all(outer, inner, resource=resource)
