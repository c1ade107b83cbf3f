"""Questions to the solver, which answers in a process of its own, until the deadline of the call; accounts have their turns at it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sekisho.calls.call import Call
from sekisho.journal.analyzers import asking
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted

if TYPE_CHECKING:  # a server without the solver does without it
    from sekisho.analysis.solver import Grant, Verdict

MARGIN = 0.5
"""Seconds of a call's time that are left for its answer."""


def refuse_impossible() -> None:
    """SolverNotInstalled on a server that can prove nothing."""
    if not asking.is_possible():
        raise asking.SolverNotInstalled("This server does not have the solver: install it with the extra `analyzer`.")


def new_access(call: Call, existing: str, new: str, type_: str) -> "Verdict":
    """Whether a policy grants what another does not."""
    return _asked(call, "new_access", existing, new, type_=type_)


def granted(call: Call, document: str, accesses: Sequence[tuple[Sequence[str], Sequence[str]]], type_: str) -> "Verdict":
    """Whether a policy grants any of these accesses, each of actions and resources."""
    refuse_impossible()
    from sekisho.analysis.solver import Access

    return _asked(
        call, "granted", document, tuple(Access(tuple(actions), tuple(resources)) for actions, resources in accesses), type_=type_
    )


def public(call: Call, document: str) -> "Verdict":
    """Whether a policy lets everybody in."""
    return _asked(call, "public", document)


def external(call: Call, source: Source, trusted: Trusted) -> "tuple[Grant, ...] | None":
    """What a resource's policy would grant to whoever is outside of a zone; None where that is not known."""
    if not source.document:
        return ()
    refuse_impossible()
    questions, deadline = call.node.questions, _deadline(call)
    found: tuple[Grant, ...] | None = questions.external(
        source.document, source.arn, source.owner, trusted, deadline=deadline, account=call.account_id
    )
    return found


def _asked(call: Call, name: str, *arguments: Any, type_: str = "") -> "Verdict":
    refuse_impossible()
    from sekisho.analysis.solver import PolicyType

    kind = (PolicyType(type_),) if type_ else ()
    verdict: Verdict = call.node.questions.ask(name, *arguments, *kind, deadline=_deadline(call), account=call.account_id)
    return verdict


def _deadline(call: Call) -> float:
    return time.monotonic() + max(0.0, call.seconds_left - MARGIN)
