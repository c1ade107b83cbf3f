"""Access from within, held against small universes: WORLDS of them; `python -m tests.analysis.solver.campaign --inside N` has more.

The campaign notices faults that are planted, each by a seed of it that does: who changes the generator looks for another.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sekisho import policy
from sekisho.analysis import inside
from sekisho.analysis.inside import Case
from sekisho.analysis.solver import subjects
from sekisho.policy import principals
from tests.analysis.solver import insiders_held
from tests.analysis.solver.findings import Found

proving = importlib.import_module("sekisho.analysis.solver.inside")  # by whose name the package has its function
WORLDS = int(os.environ.get("WORLDS_INSIDE", "160"))


def test_no_request_is_let_in_that_is_said_to_be_kept_out() -> None:
    found = Found()
    assert [wrong for seed in range(WORLDS) if (wrong := insiders_held.difference(seed, found))] == []
    told = sum(found.answers.values())
    assert all(found.answers[answer] * 30 > told for answer in ("allowed", "never", "yes", "no")), found.answers
    assert found.answers["unknown"] * 10 < told, found.answers


def _sessions_of_any_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(proving._Case, "_of_session", lambda _self: iter(()))
    patch.setattr(subjects, "is_somebody", lambda _principal, _said: True)


def _roles_beyond_their_boundary(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(principals, "LIMITED", principals.DIRECT)


def _without_rcps(patch: pytest.MonkeyPatch) -> None:
    made: Callable[[policy.Request, policy.Layers], Case] = inside.case_of
    patch.setattr(inside, "case_of", lambda request, layers: replace(made(request, layers), rcps=None))


def _sessions_alike(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inside, "named_sessions", lambda _principal, _layers: [])


def _addresses_known(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inside, "_FIXED", inside._FIXED | {"aws:sourceip"})


def _sessions_within_their_boundary(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(proving, "DIRECT", principals.DIRECT + 1)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], int, str]] = {
    "the session of aws:userid is any": (_sessions_of_any_name, 18, "yes of session"),
    "a role that is named is beyond its boundary": (_roles_beyond_their_boundary, 208, "the oracle does not allow"),
    "resource control policies are forgotten": (_without_rcps, 107, "the oracle does not allow"),
    "all sessions of a role are one": (_sessions_alike, 68, "is allowed with"),
    "a request's address is known": (_addresses_known, 29, "is allowed with"),
    "a session that is named is within its boundary": (_sessions_within_their_boundary, 63, "no of"),
}


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Patches, with nothing of them remembered."""
    with pytest.MonkeyPatch.context() as made:
        yield made


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_noticed(name: str, patch: pytest.MonkeyPatch) -> None:
    plant, seed, noticed = PLANTED[name]
    assert insiders_held.difference(seed) == ""
    plant(patch)
    assert noticed in insiders_held.difference(seed)
