"""Verdicts that are not certain: each says why."""

import pytest

from sekisho.analysis.solver import Answer, PolicyType, granted, new_access, questions
from sekisho.analysis.solver.effort import Effort
from sekisho.analysis.solver.questions import Access, Question, Verdict
from sekisho.analysis.solver.witnesses import Witness
from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import Principal, compiled
from tests.analysis.solver.documents import allow, assumed, deny, policy, to

IDENTITY, RESOURCE = PolicyType.IDENTITY, PolicyType.RESOURCE


def more(existing: str, new: str) -> Verdict:
    return new_access(existing, new, IDENTITY, milliseconds=5_000)


def test_a_request_that_the_evaluator_does_not_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refused(_question: Question, witness: object) -> bool:
        asked.append(witness)
        return False

    monkeypatch.setattr(Question, "_is_confirmed", refused)
    verdict = more(policy(deny()), policy(*(allow(f"s3:Get{i}", f"arn:aws:s3:::b{i}") for i in range(20))))
    assert verdict == Verdict(Answer.UNKNOWN, reason="a request was found that the evaluator does not confirm")
    assert asked
    verdict = more(policy(deny()), policy(allow("s3:GetObject", "arn:aws:s3:::b")))
    assert verdict == Verdict(Answer.UNKNOWN, reason="some cases could not be told")


def test_a_key_of_too_many_conditions() -> None:
    document = policy(*[allow(condition={"ForAnyValue:StringEquals": {"a:k": "x"}})] * 8)
    assert more(document, document) == Verdict(Answer.UNKNOWN, reason="a key with several values is asked by too many conditions")
    document = policy(*[allow(condition={"ForAnyValue:StringEquals": {"a:k": "x"}})] * 3)
    assert more(document, document) == Verdict(Answer.NO)


def test_what_is_too_hard() -> None:
    verdict = more(policy(deny()), policy(allow(condition={"NumericEquals": {"aws:username": "1"}})))
    assert verdict.answer is Answer.UNKNOWN
    assert verdict.reason == "`aws:username` is asked with an operator that is not one for text or ARNs"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (policy(to("*")), IDENTITY),
        (policy(allow()), RESOURCE),
        (policy(to("*"), assumed("*")), RESOURCE),
        (policy(assumed("*", "s3:GetObject"), to("*")), RESOURCE),
    ],
)
def test_documents_of_another_kind(document: str, kind: PolicyType) -> None:
    with pytest.raises(MalformedPolicyDocument):
        questions.read(document, kind)


ALICE = Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333", unique_id="AIDAALICE")
ALL = {"Effect": "Deny", "Principal": "*", "Resource": "*"}
GET, PUT = Witness(ALICE, "s3:GetObject", "*", {}), Witness(ALICE, "s3:PutObject", "*", {})


def test_what_is_confirmed() -> None:
    program = questions.read(policy(allow("s3:GetObject")), IDENTITY)
    question = Question(program, IDENTITY, 1_000)
    assert [question._is_confirmed(one) for one in (GET, PUT)] == [True, False]
    assert not question._is_confirmed(Witness(ALICE, "s3:GetObject", "*", {"aws:userid": "AIDABOB"}))
    assert question._is_confirmed(Witness(ALICE, "s3:GetObject", "*", {"aws:userid": "AIDAALICE"}))
    for before, expected in ((allow("s3:GetObject"), False), (allow("s3:PutObject"), True)):
        assert Question(program, IDENTITY, 1_000, compiled(policy(before)))._is_confirmed(GET) is expected
    for denied, expected in (("s3:GetObject", False), ("s3:PutObject", True)):
        restricting = (compiled(policy({**ALL, "Action": "iot:*"})), compiled(policy({**ALL, "Action": denied})))
        assert Question(program, IDENTITY, 1_000, restricting=restricting)._is_confirmed(GET) is expected
    assert Question(program, IDENTITY, 1_000, program, restricting=restricting).programs == [program, program, *restricting]
    assert Question(program, IDENTITY, 1_000).programs == [program]


def test_an_effort_is_shared() -> None:
    question = Question(questions.read(policy(allow()), IDENTITY), IDENTITY, 1_000)
    assert question.asked(Effort(0)) == Verdict(Answer.UNKNOWN, reason="the question takes more than 0 ms")
    assert question.asked().answer is Answer.YES
    assert not questions._ONE.locked()


def test_a_session_with_too_long_a_name_is_nobody() -> None:
    for length, answer in ((64, Answer.YES), (65, Answer.UNKNOWN)):
        condition = {"StringEquals": {"aws:userid": f"AROAEXAMPLE:{'a' * length}"}}
        assert more(policy(deny()), policy(allow(condition=condition))).answer is answer


def test_words() -> None:
    assert [one.value for one in Answer] == ["yes", "no", "unknown"]
    assert [one.value for one in PolicyType] == ["IDENTITY_POLICY", "RESOURCE_POLICY"]


def test_documents_of_a_kind() -> None:
    for document, kind in ((policy(allow()), IDENTITY), (policy(to("*")), RESOURCE), (policy(assumed("*")), RESOURCE)):
        assert len(questions.read(document, kind).rules) == 1


def test_what_needs_no_permission_is_not_granted() -> None:
    assert granted(policy(allow("sts:GetCallerIdentity")), [Access()], IDENTITY, milliseconds=5_000) == Verdict(Answer.NO)
    assert granted(policy(allow("sts:Get*")), [Access()], IDENTITY, milliseconds=5_000).answer is Answer.YES


def test_a_witness_is_as_small_as_it_can_be() -> None:
    condition = {"StringEqualsIfExists": {"a:k": "x"}, "StringEquals": {"a:w": "y"}}
    verdict = more(policy(deny()), policy(deny("iam:*"), allow("s3:GetObject", "arn:aws:s3:::b", condition=condition)))
    assert verdict.answer is Answer.YES
    assert verdict.witness is not None
    assert (dict(verdict.witness.context), verdict.witness.action, verdict.statements) == ({"a:w": "y"}, "s3:GetObject", (1,))


def test_verdicts_have_no_reason_where_they_are_certain() -> None:
    assert Verdict(Answer.NO) == Verdict(Answer.NO, None, (), "")
    assert Access() == Access((), ())
