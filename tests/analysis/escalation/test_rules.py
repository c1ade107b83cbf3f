"""Each published method: a world in which it leads to an administrator, and its near misses, in which nothing does.

A near miss lacks one of the actions, has it on something else, or is denied it by an SCP; or the role trusts another service.
"""

from dataclasses import replace

import pytest

from sekisho.analysis.escalation import PUBLISHED, RULES
from tests.analysis.escalation.scenes import (
    CASES,
    IMPLIED,
    MACHINES,
    MORE,
    SHORTER,
    denied_by_a_group,
    denied_by_a_policy,
    denied_by_a_policy_role,
    denied_inline,
    denied_inline_role,
    left_of,
    outcomes,
    run_by,
    statements_of,
)
from tests.analysis.escalation.worlds import EVERYTHING, IAM, allow, deny


def test_there_are_65_published_methods_each_with_a_case() -> None:
    assert len(PUBLISHED) == 65
    assert {rule.name for rule in PUBLISHED} == set(CASES)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_it_leads_to_an_administrator(name: str) -> None:
    scene, becomes = (CASES | MORE)[name]
    assert list(outcomes(scene(statements_of(name)))) in ([(name, becomes)], [(SHORTER.get(name), becomes)])


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_without_one_of_the_actions_it_leads_nowhere(name: str) -> None:
    scene, becomes = (CASES | MORE)[name]
    for action in name.split(" + "):
        left = [(name, becomes)] if IMPLIED.get(name) == action else left_of(name, action)
        assert list(outcomes(scene(statements_of(name, without=action)))) == left, action


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_denied_one_of_the_actions_it_leads_nowhere(name: str) -> None:
    """By an SCP, which nobody in the account can change."""
    scene, _ = (CASES | MORE)[name]
    for action in name.split(" + "):
        on = f"{IAM}*" if action[:4] in ("iam:", "sts:") else "*"
        world = replace(scene(statements_of(name)), scps=[EVERYTHING, deny(action, on=on)])
        assert list(outcomes(world)) == left_of(name, action), action
        assert len(list(outcomes(replace(world, scps=[EVERYTHING])))) == 1


ANYWHERE = (denied_inline, denied_inline_role, denied_by_a_policy, denied_by_a_policy_role, denied_by_a_group)
"""Scenes in which mallory is permitted everything that is not denied, whatever it is done to."""


@pytest.mark.parametrize("name", [name for name, (scene, _) in (CASES | MORE).items() if scene not in ANYWHERE])
def test_on_something_else_it_leads_nowhere(name: str) -> None:
    scene, _ = (CASES | MORE)[name]
    for action in name.split(" + "):
        if action[:4] in ("iam:", "sts:") and IMPLIED.get(name) != action:
            elsewhere = [allow(action, on=f"{IAM}*/elsewhere/*")]
            assert list(outcomes(scene([*statements_of(name, without=action), *elsewhere]))) == left_of(name, action), action


SERVED = [name for name, (scene, _) in CASES.items() if scene.__qualname__.startswith("run_by")]


@pytest.mark.parametrize("name", SERVED)
def test_a_service_that_the_role_does_not_trust_leads_nowhere(name: str) -> None:
    assert list(outcomes(run_by("other.amazonaws.com")(statements_of(name)))) == []


@pytest.mark.parametrize("name", [name for name in SERVED if "iam:PassRole" in name])
def test_a_role_that_may_be_passed_to_another_service_alone_leads_nowhere(name: str) -> None:
    scene, _ = CASES[name]
    service = scene([]).roles["admin"].trust["Statement"][0]["Principal"]["Service"][0]
    for passed in ("other.amazonaws.com", service):
        condition = {"StringEquals": {"iam:PassedToService": passed}}
        some = [*statements_of(name, without="iam:PassRole"), allow("iam:PassRole", when=condition)]
        found = list(outcomes(scene(some)))
        assert found == left_of(name, "iam:PassRole") if passed != service else len(found) == 1


def test_a_role_in_no_profile_is_put_into_one_first() -> None:
    world = replace(run_by(MACHINES)(statements_of("iam:PassRole + ec2:RunInstances")), profiles=frozenset())
    assert list(outcomes(world)) == []
    more = [allow("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", on=f"{IAM}instance-profile/web-*")]
    world = replace(run_by(MACHINES)([*statements_of("iam:PassRole + ec2:RunInstances"), *more]), profiles=frozenset())
    assert list(outcomes(world)) == [("iam:PassRole + ec2:RunInstances", "role/admin")]
