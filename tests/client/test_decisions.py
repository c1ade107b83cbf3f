"""Questions in Python's terms, and answers that are true only when they are an allow."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sekisho import client as sekisho
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import Client, Decision, Layer, Matched, Outcome
from tests.client.fake import Fake, said

ORDER = "arn:aws:orders:eu-west-1:111122223333:order/7"
ALICE = "arn:aws:iam::111122223333:user/alice"
ALLOWED = pb.AuthorizeResponse(
    outcome=pb.OUTCOME_ALLOWED,
    layer=pb.LAYER_IDENTITY,
    matched=[
        pb.MatchedStatement(
            layer=pb.LAYER_IDENTITY, policy_arn="arn:aws:iam::111122223333:policy/p", policy_version="v2", sid="Read", index=3
        )
    ],
    missing_keys=["aws:SourceIp"],
    decision_id="d-1",
    revision="r7",
    principal_arn=ALICE,
)


def asked(fake: Fake) -> pb.AuthorizeRequest:
    """The one question that arrived."""
    (arrived,) = fake.arrived
    return pb.AuthorizeRequest.FromString(arrived.body)


def test_a_question_with_everything(client: Client, fake: Fake) -> None:
    fake.replies = [ALLOWED.SerializeToString()]
    client.authorize(
        principal=ALICE,
        action="orders:GetOrder",
        resource=ORDER,
        resource_account="111122223333",
        resource_tags={"region": "eu"},
        resource_policy={"Version": "2012-10-17", "Statement": []},
        context={"orders:Amount": 12},
        at_least="r6",
    )
    assert asked(fake) == pb.AuthorizeRequest(
        principal_arn=ALICE,
        action="orders:GetOrder",
        resource=ORDER,
        resource_account="111122223333",
        resource_tags={"region": "eu"},
        resource_policy='{"Version": "2012-10-17", "Statement": []}',
        context=[pb.ContextEntry(key="orders:Amount", values=["12"])],
        at_least="r6",
    )


def test_an_answer_with_its_reasons(client: Client, fake: Fake) -> None:
    fake.replies = [ALLOWED.SerializeToString()]
    assert client.authorize(action="orders:GetOrder", resource=ORDER) == Decision(
        outcome=Outcome.ALLOWED,
        layer=Layer.IDENTITY,
        matched=(Matched(Layer.IDENTITY, "arn:aws:iam::111122223333:policy/p", "v2", "", "Read", 3),),
        missing_keys=("aws:SourceIp",),
        decision_id="d-1",
        revision="r7",
        principal_arn=ALICE,
    )


VALUES: dict[str, tuple[Any, list[str], bool]] = {
    "text": ("paid", ["paid"], False),
    "empty_text": ("", [""], False),
    "number": (300, ["300"], False),
    "small_float": (1e-07, ["0.0000001"], False),
    "large_float": (1e21, ["1000000000000000000000"], False),
    "decimal": (Decimal("1E+2"), ["100"], False),
    "yes": (True, ["true"], False),
    "no": (False, ["false"], False),
    "time": (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), ["2026-01-02T03:04:05Z"], False),
    "list": (["a", 1, True], ["a", "1", "true"], True),
    "list_of_one": (["a"], ["a"], True),
    "tuple": (("a", "b"), ["a", "b"], True),
    "empty_list": ([], [], True),
    "generator": ((letter for letter in "ab"), ["a", "b"], True),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_in_the_spelling_of_policies(client: Client, fake: Fake, case: str) -> None:
    value, values, multivalued = VALUES[case]
    fake.replies = [ALLOWED.SerializeToString()]
    client.authorize(action="orders:GetOrder", resource=ORDER, context={"orders:Key": value})
    assert list(asked(fake).context) == [pb.ContextEntry(key="orders:Key", values=values, multivalued=multivalued)]


NO_VALUES: dict[str, Any] = {
    "none": None,
    "object": object(),
    "object_in_list": [object()],
    "naive_time": datetime(2026, 1, 2),  # noqa: DTZ001  # the mistake under test
}


@pytest.mark.parametrize("case", NO_VALUES)
def test_values_that_no_policy_could_compare_are_refused(client: Client, fake: Fake, case: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        client.authorize(action="orders:GetOrder", resource=ORDER, context={"orders:Key": NO_VALUES[case]})
    assert fake.arrived == []


def test_a_misspelt_argument_is_refused(client: Client, fake: Fake) -> None:
    with pytest.raises(TypeError, match="principle"):
        client.authorize(action="orders:GetOrder", resource=ORDER, principle=ALICE)  # type: ignore[call-arg]  # the mistake under test
    assert fake.arrived == []


def test_two_who_ask_at_once_are_refused(client: Client, fake: Fake) -> None:
    with pytest.raises(TypeError, match="one of principal"):
        client.authorize(action="orders:GetOrder", resource=ORDER, principal=ALICE, bearer_token="t")
    assert fake.arrived == []


def test_a_token_is_for_the_service_that_hands_it_on(client: Client, fake: Fake) -> None:
    fake.replies = [ALLOWED.SerializeToString()]
    client.authorize(action="orders:GetOrder", resource=ORDER, bearer_token="t", audience="orders.example")
    assert (asked(fake).bearer_token, asked(fake).audience) == ("t", "orders.example")
    with pytest.raises(TypeError, match="with a bearer_token alone"):
        client.authorize(action="orders:GetOrder", resource=ORDER, principal=ALICE, audience="orders.example")


@pytest.mark.parametrize("subject", ["principal", "bearer_token"])
def test_a_lost_name_does_not_become_the_caller_itself(client: Client, fake: Fake, subject: str) -> None:
    question: Any = {subject: ""}
    with pytest.raises(ValueError, match="not empty"):
        client.authorize(action="orders:GetOrder", resource=ORDER, **question)
    assert fake.arrived == []


NO = {
    "explicit": pb.AuthorizeResponse(outcome=pb.OUTCOME_EXPLICITLY_DENIED),
    "implicit": pb.AuthorizeResponse(outcome=pb.OUTCOME_IMPLICITLY_DENIED),
}


@pytest.mark.parametrize("outcome", NO)
def test_a_deny_is_false(client: Client, fake: Fake, outcome: str) -> None:
    fake.replies = [NO[outcome].SerializeToString()]
    decision = client.authorize(action="orders:GetOrder", resource=ORDER)
    assert not decision
    assert not decision.allowed


def test_an_allow_is_true(client: Client, fake: Fake) -> None:
    fake.replies = [ALLOWED.SerializeToString()]
    decision = client.authorize(action="orders:GetOrder", resource=ORDER)
    assert decision
    assert decision.allowed


@pytest.mark.parametrize("answer", [b"", b"\x08\x63"], ids=["empty", "outcome_of_a_newer_server"])
def test_an_answer_without_an_outcome_that_we_know_is_an_error(client: Client, fake: Fake, answer: bytes) -> None:
    fake.replies = [answer]
    with pytest.raises(sekisho.Internal):
        client.authorize(action="orders:GetOrder", resource=ORDER)
    with pytest.raises(sekisho.Internal):
        client.explain(action="orders:GetOrder", resource=ORDER)


def test_a_batch_keeps_the_order_and_an_error_is_a_deny(client: Client, fake: Fake) -> None:
    items = [
        pb.BatchItem(decision=ALLOWED),
        pb.BatchItem(error=pb.BatchError(code="ValidationError", message="no action")),
        pb.BatchItem(),
        pb.BatchItem(decision=NO["explicit"]),
    ]
    fake.replies = [pb.AuthorizeBatchResponse(items=items).SerializeToString()]
    answers = client.authorize_batch([{"action": f"orders:Do{n}", "resource": ORDER} for n in range(4)])
    assert [answer.allowed for answer in answers] == [True, False, False, False]
    assert (answers[1].outcome, answers[1].error_code, answers[1].error_message) == (
        Outcome.IMPLICITLY_DENIED,
        "ValidationError",
        "no action",
    )
    assert answers[2].error_code == "Internal"
    sent = pb.AuthorizeBatchRequest.FromString(fake.arrived[0].body)
    assert [question.action for question in sent.requests] == ["orders:Do0", "orders:Do1", "orders:Do2", "orders:Do3"]


def test_a_batch_with_too_few_answers_is_an_error(client: Client, fake: Fake) -> None:
    fake.replies = [pb.AuthorizeBatchResponse(items=[pb.BatchItem(decision=ALLOWED)]).SerializeToString()]
    with pytest.raises(sekisho.Internal, match="1 of 2"):
        client.authorize_batch([{"action": "orders:Do", "resource": ORDER}] * 2)


def test_an_allow_beside_an_error_is_no_allow() -> None:
    assert not Decision(Outcome.ALLOWED, error_code="Internal")


def test_an_explanation_has_the_way_to_the_decision(client: Client, fake: Fake) -> None:
    answer = pb.ExplainResponse(decision=NO["implicit"], sentence="because", text="line", trace_json='{"layers": [1]}')
    fake.replies = [answer.SerializeToString()]
    explained = client.explain(action="orders:GetOrder", resource=ORDER, principal=ALICE)
    assert not explained
    assert (explained.sentence, explained.text, explained.trace) == ("because", "line", {"layers": [1]})
    sent = pb.ExplainRequest.FromString(fake.arrived[0].body)
    assert sent.request.principal_arn == ALICE


def test_nothing_is_cached(client: Client, fake: Fake) -> None:
    fake.replies = [ALLOWED.SerializeToString(), NO["explicit"].SerializeToString(), said("INTERNAL")]
    assert client.authorize(action="orders:GetOrder", resource=ORDER)
    assert not client.authorize(action="orders:GetOrder", resource=ORDER)
    with pytest.raises(sekisho.Internal):
        client.authorize(action="orders:GetOrder", resource=ORDER)


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (Matched(Layer.IDENTITY, "arn:aws:iam::1:policy/p", "v2", "", "Read", 3), "arn:aws:iam::1:policy/p v2, statement `Read`"),
        (Matched(Layer.SESSION, "", "", "inline", "", 0), "inline, statement 1"),
        (Matched(Layer.RESOURCE, "", "", "", "", 1), "the resource's policy, statement 2"),
    ],
    ids=["managed", "inline", "resource"],
)
def test_a_statement_in_words(match: Matched, text: str) -> None:
    assert str(match) == text
