"""A decision is asked from one composition, and a composition is of one world."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from sekisho import policy, sigv4, world
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.memory.cache import World
from sekisho.memory.findings import Findings
from tests.harness import House
from tests.services.authorize.conftest import Ask
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

T = TypeVar("T")
GATE = (allow("authorize:Authorize", "authorize:Explain"), allow("authorize:AssertPrincipal"))
CALLER = ("authorize:Authorize", "*")
"""What is asked of the calling service itself, before anything else."""


class Watch:
    """Notes each look at memory with the questions that were composed in it, and each decision with what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: list[list[world.Question]] = []
        self.decided: list[world.Question] = []
        self._inside = False
        consistent, question, decide = World.consistent, world.question, policy.decide

        def watched_consistent(memory: World, compose: Callable[[Any], T]) -> tuple[T, Any]:
            self.looks.append([])
            self._inside = True
            try:
                return consistent(memory, compose)
            finally:
                self._inside = False

        def watched_question(*arguments: Any) -> world.Question:
            assert self._inside
            made = question(*arguments)
            self.looks[-1].append(made)
            return made

        def watched_decide(request: policy.Request, layers: policy.Layers) -> policy.Decision:
            self.decided.append((request, layers))
            return decide(request, layers)

        monkeypatch.setattr(World, "consistent", watched_consistent)
        monkeypatch.setattr(world, "question", watched_question)
        monkeypatch.setattr(policy, "decide", watched_decide)

    @property
    def asked(self) -> list[list[tuple[str, str]]]:
        """Action and resource of the questions of each look at memory, without looks that composed a caller only."""
        return [[(request.action, request.resource) for request, _ in look] for look in self.looks if look]

    def check(self) -> None:
        """Every decision was asked with just what one composition made, and every composition was decided once."""
        composed = [made for look in self.looks for made in look]
        assert len(composed) == len(self.decided)
        for (request, layers), (asked, applied) in zip(composed, self.decided, strict=True):
            assert request is asked
            assert layers is applied


@pytest.fixture
def gate(house: House) -> sigv4.Credentials:
    """A service that asks about Ann, and has asked before."""
    house.user("ann", allow("orders:Ship"))
    found = house.user("gate", *GATE)
    for _ in range(2):
        house.call("Authorize", _as=found, action="orders:Ship", resource="*", principal_arn=f"arn:aws:iam::{house.account_id}:user/ann")
    return found


@pytest.fixture
def forgetful(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the house remember nothing but records."""
    monkeypatch.setattr(house.node.world, "findings", Findings(0))


@pytest.mark.usefixtures("forgetful")
def test_a_first_authorize_is_three_questions_of_one_composition_each(
    house: House, ask: Ask, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    watch = Watch(monkeypatch)
    assert ask(_as=gate, principal_arn=ann, resource="*").outcome == pb.OUTCOME_ALLOWED
    assert watch.asked == [[CALLER], [("authorize:AssertPrincipal", ann)], [("orders:Ship", "*")]]
    assert len(watch.looks) == 4  # the first composes the caller alone
    of_caller, asserted, of_ann = (request.principal for look in watch.looks for request, _ in look)
    assert of_caller is asserted  # who is composed once
    assert of_ann.arn == ann
    watch.check()


def test_a_warm_authorize_is_one(house: House, ask: Ask, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    ask(_as=gate, principal_arn=ann, resource="*")
    watch = Watch(monkeypatch)
    assert ask(_as=gate, principal_arn=ann, resource="*").outcome == pb.OUTCOME_ALLOWED
    assert watch.asked == [[("orders:Ship", "*")]]
    watch.check()


@pytest.mark.usefixtures("forgetful")
def test_without_a_subject_it_is_two(house: House, ask: Ask, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    assert ask(_as=gate, resource="*").outcome == pb.OUTCOME_IMPLICITLY_DENIED
    assert watch.asked == [[CALLER], [("orders:Ship", "*")]]
    assert len(watch.looks) == 3
    watch.check()


def test_explain_decides_once_and_tells_of_that(house: House, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    house.call("Explain", _as=gate, request={"action": "orders:Ship", "resource": "*"})
    assert watch.asked == [[("authorize:Explain", "*")], [("orders:Ship", "*")]]
    watch.check()


@pytest.mark.usefixtures("forgetful")
def test_a_batch_composes_all_its_questions_in_one_look(house: House, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    questions = [{"action": f"orders:{name}", "resource": "*"} for name in ("Ship", "Pack", "Burn")]
    house.call("AuthorizeBatch", _as=gate, requests=questions)
    assert watch.asked == [[CALLER], [("orders:Ship", "*"), ("orders:Pack", "*"), ("orders:Burn", "*")]]
    assert len(watch.looks) == 3
    watch.check()


def move_during(monkeypatch: pytest.MonkeyPatch, action: str, change: Callable[[], Any]) -> list[str]:
    """Let something change once a question about an action is about to be composed; the list says that it happened."""
    question = world.question
    moved: list[str] = []

    def moving(subject: Any, asked: world.Asked, *others: Any) -> world.Question:
        if asked.action == action and not moved:
            moved.append(action)
            change()
        return question(subject, asked, *others)

    monkeypatch.setattr(world, "question", moving)
    return moved


def test_a_caller_is_composed_again_once_memory_has_moved_on(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann", allow("orders:Ship"))
    gate = house.user("gate", *GATE)
    moved = move_during(
        monkeypatch, "authorize:Authorize", lambda: house.call("DeleteUserPolicy", user_name="gate", policy_name="inline-1")
    )
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    code, message = refused("Authorize", _as=gate, action="orders:Ship", resource="*", principal_arn=ann)
    assert code == "AccessDenied"
    assert "is not authorized to perform: authorize:AssertPrincipal" in message
    assert moved


def test_a_caller_that_is_gone_meanwhile_is_no_caller(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = house.user("gate")
    house.call("PutUserPolicy", user_name="gate", policy_name="p", policy_document=GATE[0])

    def delete() -> None:
        house.call("DeleteUserPolicy", user_name="gate", policy_name="p")
        house.call("DeleteAccessKey", user_name="gate", access_key_id=gate.access_key_id)
        house.call("DeleteUser", user_name="gate")

    moved = move_during(monkeypatch, "authorize:Authorize", delete)
    assert refused("Authorize", _as=gate, action="orders:Ship", resource="*")[0] == "InvalidClientTokenId"
    assert moved


def test_a_read_is_not_permitted_by_a_newer_world_than_it_reads(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = house.user("reader")
    house.user("ann", tags=[{"key": "secret", "value": "x"}])

    def grant() -> None:
        house.call("UntagUser", user_name="ann", tag_keys=["secret"])
        house.call("PutUserPolicy", user_name="reader", policy_name="p", policy_document=allow("iam:GetUser"))

    moved = move_during(monkeypatch, "iam:GetUser", grant)
    assert list(house.call("GetUser", _as=reader, user_name="ann").user.tags) == []
    assert moved
