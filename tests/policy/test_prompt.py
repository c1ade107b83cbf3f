"""Questions that are answered at once: what they weigh themselves counts, not what the largest request would."""

from typing import Any

from sekisho import policy
from sekisho.policy import keys

HOME = "111122223333"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
TEAM = {
    "Effect": "Allow",
    "Action": ["s3:Get*", "s3:List*"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
}


def layers(*statements: dict[str, Any]) -> policy.Layers:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return policy.Layers((policy.Attached(policy.compile_policy(policy.from_json(document))),))


def asked(**context: str) -> policy.Request:
    given = {"aws:resourcetag/team": "finance", "aws:principaltag/team": "finance", "aws:sourceip": "10.1.2.3", **context}
    return policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::reports/1", HOME, keys.context(given))


def test_conditions_that_are_heavy_for_the_largest_request_alone_are_prompt() -> None:
    made = layers(TEAM)
    program = made.identity[0].program
    assert policy.is_prompt(asked(), made), "before the first question"
    assert policy.decide(asked(), made).allowed
    assert program.identity_bucket("s3:GetObject")[2] is not None, "which is not light"
    assert policy.is_prompt(asked(), made)


def test_many_statements_are_prompt_once_those_of_an_action_are_found() -> None:
    made = layers(*({"Effect": "Allow", "Action": f"s3:Put{number}*", "Resource": "*"} for number in range(17)))
    assert not policy.is_prompt(asked(), made)
    policy.decide(asked(), made)
    assert policy.is_prompt(asked(), made)


def test_what_takes_long_for_this_request_is_not_prompt() -> None:
    patterns = [f"*a*b*{number}*c*d*" for number in range(300)]
    made = layers({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": {"StringLike": {"aws:useragent": patterns}}})
    policy.decide(asked(), made)
    assert policy.is_prompt(asked(**{"aws:useragent": "x"}), made)
    assert not policy.is_prompt(asked(**{"aws:useragent": "ab" * 4000}), made)
