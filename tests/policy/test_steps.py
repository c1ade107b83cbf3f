"""Steps: whoever computes for long says between which parts; how many there are, by what there is to be done."""

import json
from collections.abc import Callable

import pytest

from sekisho import policy
from sekisho.policy import positions, steps, validate
from sekisho.policy.shares import Shares

ONE = {"Effect": "Allow", "Action": "a:*x*", "Resource": "*"}


def document(statements: int) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [ONE] * statements})


LARGE = document(500)
WAYS: dict[str, Callable[[], object]] = {
    "read": lambda: policy.parse(LARGE),
    "checked": lambda: validate.check(LARGE, validate.Kind.IDENTITY),
    "examined": lambda: validate.findings(LARGE, validate.Kind.IDENTITY),
    "compiled": lambda: policy.compile_policy(policy.parse(LARGE)),
    "located": lambda: positions.locate(LARGE),
}


@pytest.mark.parametrize("way", WAYS)
def test_there_is_a_step_for_each_statement(way: str) -> None:
    taken = list[None]()
    with steps.stepping(lambda: taken.append(None)):
        WAYS[way]()
    assert len(taken) >= 500


def test_a_program_is_asked_in_steps() -> None:
    program, taken = policy.compile_policy(policy.parse(LARGE)), list[None]()
    somebody = policy.Principal("user", "arn:aws:iam::111122223333:user/a", "111122223333")
    request = policy.Request(somebody, "a:axa", "arn:aws:a:::b", None, {})
    with steps.stepping(lambda: taken.append(None)):
        policy.asked_keys([policy.Attached(program)], "a:axa")
        assert len(taken) == 500
        assert len(policy.standing([policy.Attached(program)], request).allows) == 500
    assert len(taken) == 500 + 500 + 8  # the index is made, too; then 64 statements a step


def test_steps_are_of_their_block_and_thread() -> None:
    taken = list[str]()
    steps.step()
    with steps.stepping(lambda: taken.append("outer")):
        with steps.stepping(lambda: taken.append("inner")):
            steps.step()
        steps.step()
    steps.step()
    assert taken == ["inner", "outer"]


def test_who_holds_a_lock_goes_on() -> None:
    """Others wait for it: one value of texts is made at a time."""
    taken, shares = list[str](), Shares[int](10_000)

    def make(text: str) -> int:
        steps.step()
        return len(text)

    with steps.stepping(lambda: taken.append("rest")):
        assert shares.get("111122223333", "text", make) == 4
        assert taken == []
        steps.step()
    assert taken == ["rest"]
