"""No input makes a decision slow: each adversary at the largest size that is answered. And what is sensible is answered, however large."""

import time
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import explain, keys
from tests.policy import adversaries
from tests.policy.adversaries import ADVERSARIES


@pytest.mark.bounded
@pytest.mark.parametrize("name", ADVERSARIES)
def test_the_largest_question_that_is_answered(name: str) -> None:
    found = adversaries.hardest(ADVERSARIES[name])
    if found is None:
        asked = ADVERSARIES[name](1)
        assert policy.decide(*asked).error.startswith("TooMuchWork: ")
        return
    _, asked = found
    adversaries.forget()
    began = time.process_time()
    decision = policy.decide(*asked)
    assert time.process_time() - began < 20 * 0.010
    assert decision.error == ""
    began = time.process_time()
    assert explain.short(*asked, decision)
    assert explain.trace(*asked, decision)["layers"] != []
    assert time.process_time() - began < 20 * 1.0


@pytest.mark.parametrize("name", ["searched", "automata", "like", "arns", "dynamic_like", "missing_keys", "denies", "policies_searched"])
def test_the_same_question_is_always_answered_alike(name: str) -> None:
    """Caches, full or empty, change nothing: neither what is answered nor what is refused."""
    found = adversaries.hardest(ADVERSARIES[name])
    assert found is not None
    size, asked = found
    answers = []
    for _ in range(3):
        answers.append(policy.decide(*asked))
        adversaries.forget()
    assert answers[0] == answers[1] == answers[2]
    try:
        larger = ADVERSARIES[name](size + size // 8 + 1)
    except OverflowError:
        return
    assert policy.decide(*larger).error.startswith("TooMuchWork: ")


def _un_indexable(i: int) -> dict[str, Any]:
    condition = {"StringLike": {"k:e": f"*-{i}-*"}, "NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    return {"Action": "s3:*", "Condition": condition}


SENSIBLE: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any]]] = {  # statements, resource, context; all are answered
    "un_indexable_statements": (
        [_un_indexable(i) for i in range(10_000)],
        "arn:aws:s3:::b/k",
        {"k:e": "team-77-x", "aws:SourceIp": "192.0.2.1"},
    ),
    "indexable_statements": (
        [{"Resource": f"arn:aws:s3:::b{i}/*", "Condition": {"StringEquals": {"k:e": f"{i}"}}} for i in range(10_000)],
        "arn:aws:s3:::b77/k",
        {"k:e": "77"},
    ),
    "dynamic_resources_with_wildcards": (
        [{"Resource": [f"arn:aws:s3:::*-{i}/${{aws:PrincipalTag/team}}/*/${{aws:username}}/*" for i in range(50)]}],
        "arn:aws:s3:::data-7/red/2026/alice/report.pdf",
        {"aws:PrincipalTag/team": "red", "aws:username": "alice"},
    ),
    "guards": (
        [
            {},
            *(
                {
                    "Effect": "Deny",
                    "Action": f"{service}:*",
                    "Condition": {
                        "StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]},
                        "ArnNotLike": {"aws:PrincipalArn": [f"arn:aws:iam::*:role/{name}-*" for name in ("admin", "ops", "break-glass")]},
                    },
                }
                for service in ("s3", "s3*", "*")
            ),
        ],
        "arn:aws:s3:::b/k",
        {"aws:RequestedRegion": "eu-west-1", "aws:TagKeys": ["k" * 128] * 50, **{f"aws:RequestTag/{i}": "v" * 256 for i in range(50)}},
    ),
}


@pytest.mark.parametrize(("statements", "resource", "context"), SENSIBLE.values(), ids=SENSIBLE.keys())
def test_what_is_sensible_is_answered(statements: list[dict[str, Any]], resource: str, context: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [{**adversaries.ALL, **statement} for statement in statements]}
    layers = policy.Layers(identity=(policy.Attached(policy.compile_policy(policy.from_json(document))),))
    decision = policy.decide(policy.Request(adversaries.USER, "s3:GetObject", resource, adversaries.ACCOUNT, keys.context(context)), layers)
    assert decision.error == ""
    assert decision.allowed
