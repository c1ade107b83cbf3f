"""Simulations at the largest inputs that the protos admit: each ends, within its deadline, in an answer or in an error that says why."""

import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest

from sekisho.calls.turns import Turns
from sekisho.policy import positions
from sekisho.services.iam import simulations, simulator
from tests.deadlines import Deadline
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
RESOURCES = [f"arn:aws:s3:::bucket/{i}" for i in range(1000)]
SIMULATIONS = "sekisho.services.iam.simulations"
SOURCES = "sekisho.services.iam.policy_sources"
KEYS = "sekisho.services.iam.context_keys"


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


LARGEST = document(*[ALL] * 2700)  # of nearly 131,072 characters
MANY_KEYS = document({**ALL, "Condition": {"StringEqualsIfExists": {f"key:{i:08}": "x" for i in range(4000)}}})
SLOW = document({**ALL, "Action": [f"s3:?*a?*b?*{i}" for i in range(5000)]})
TOO_MANY = "TooMuchWork: the policy has too many patterns of actions to look for this one"

HARDEST: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "policies": (
        {"policy_input_list": [LARGEST] * 31},
        ("LimitExceeded", "The policies of the request have 3935078 characters together; at most 524288 are allowed."),
    ),
    "policies_of_all_kinds": (
        {
            "policy_input_list": [LARGEST],
            "permissions_boundary_policy_input_list": [LARGEST],
            "resource_policy": LARGEST,
            "caller_arn": "arn:aws:iam::111122223333:user/alice",
            "ordered_organization_policy_input_list": [{"service_control_policy_input_list": [LARGEST]}] * 7,
        },
        ("LimitExceeded", "The policies of the request have 1269380 characters together; at most 524288 are allowed."),
    ),
    "actions": (
        {"policy_input_list": [allow("s3:*")], "action_names": ["sts:x"] * 200_000, "resource_arns": RESOURCES},
        ("InvalidInput", "A simulation takes at most 10000 actions."),
    ),
    "resources": (
        {"policy_input_list": [allow("s3:*")], "resource_arns": ["arn:aws:iam::111122223333:role/r"] * 100_000},
        ("InvalidInput", "A simulation takes at most 1000 resources."),
    ),
    "missing_keys": (
        {"policy_input_list": [MANY_KEYS], "resource_arns": RESOURCES},
        ("LimitExceeded", "The simulation of s3:GetObject is too large: give fewer resources or smaller policies in one call."),
    ),
    "policies_to_ask": (
        {"policy_input_list": [document(ALL)] * 450, "resource_arns": RESOURCES, "caller_arn": "arn:aws:iam::111122223333:user/alice"},
        ("LimitExceeded", "The simulation of s3:GetObject is too large: give fewer resources or smaller policies in one call."),
    ),
    "patterns_of_actions": (
        {"policy_input_list": [SLOW], "action_names": ["s3:" + "abcde" * 25]},
        ("PolicyEvaluation", f"The simulation of s3:{'abcde' * 25} could not be carried out: {TOO_MANY}"),
    ),
}


@pytest.mark.parametrize("name", HARDEST)
def test_the_largest_inputs_are_refused(refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(simulator, "_MAX_WORK", 200_000_000.0)  # 0.2 s: on a slow machine, too, it ends before the deadline does
    fields, error = HARDEST[name]
    assert refused("SimulateCustomPolicy", **{"action_names": ["s3:GetObject"], **fields}) == error


def test_policies_beside_those_of_a_principal_are_bounded_too(house: House, refused: Refused) -> None:
    house.user("alice")
    source = f"arn:aws:iam::{house.account_id}:user/alice"
    fields = {"policy_source_arn": source, "policy_input_list": [LARGEST] * 5}
    sentence = "The policies of the request have 634690 characters together; at most 524288 are allowed."
    assert refused("SimulatePrincipalPolicy", action_names=["s3:GetObject"], **fields) == ("LimitExceeded", sentence)
    assert refused("GetContextKeysForPrincipalPolicy", **fields) == ("LimitExceeded", sentence)
    assert refused("GetContextKeysForCustomPolicy", policy_input_list=[LARGEST] * 5) == ("LimitExceeded", sentence)


def test_a_page_ends_where_its_work_does(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one goes on there: what is too much for one call is not lost."""
    monkeypatch.setattr(simulator, "_MAX_WORK", 1_000_000.0)
    fields: dict[str, Any] = {"policy_input_list": [allow("s3:Get*")], "action_names": [f"s3:Get{i}" for i in range(30)]}
    found, marker, pages = [], None, 0
    while pages == 0 or marker:
        page = house.call("SimulateCustomPolicy", **fields, marker=marker)
        found += [one.eval_action_name for one in page.evaluation_results]
        assert page.is_truncated is bool(page.marker)
        marker, pages = page.marker, pages + 1
    assert found == fields["action_names"]
    assert 3 < pages < 30


def test_a_page_ends_where_its_answer_would_be_too_large(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sekisho.services.iam.simulations.MOST_BYTES", 1000)
    page = house.call("SimulateCustomPolicy", policy_input_list=[allow("s3:Get*")], action_names=[f"s3:Get{i}" for i in range(30)])
    assert 1 <= len(page.evaluation_results) < 30
    assert page.is_truncated
    assert sum(one.ByteSize() for one in page.evaluation_results) <= 1000


def test_an_action_ends_where_its_results_become_too_large(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all of its resources are decided."""
    monkeypatch.setattr(simulator, "MOST_BYTES", 1000)
    fields = {"policy_input_list": [allow("s3:*")], "action_names": ["s3:GetObject"], "resource_arns": RESOURCES[:100]}
    assert refused("SimulateCustomPolicy", **fields)[0] == "LimitExceeded"


def test_the_deadline_holds_for_each_policy_action_and_resource(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"policy_input_list": [allow("s3:*")] * 3, "resource_arns": RESOURCES[:5]}
    for ends_at in (1, 3, 4, 5, 10, 15):  # three policies; then an action and its five resources, twice
        deadline = Deadline(monkeypatch, SIMULATIONS, SOURCES, ends_at=ends_at)
        assert refused("SimulateCustomPolicy", action_names=["s3:A", "s3:B"], **fields) == ("RequestTimeout", "over")
        assert deadline.looks == ends_at


def test_the_deadline_is_looked_at_once_for_each(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(monkeypatch, SIMULATIONS, SOURCES, ends_at=10**9)
    house.call("SimulateCustomPolicy", policy_input_list=[allow("s3:*")] * 3, action_names=["s3:A", "s3:B"], resource_arns=RESOURCES[:5])
    assert deadline.looks == 3 + 2 * (1 + 5)


def test_the_deadline_holds_while_policies_are_loaded(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("alice", allow("s3:A"), allow("s3:B"))
    house.call("AttachUserPolicy", user_name="alice", policy_arn="arn:aws:iam::aws:policy/Administrator")
    source = f"arn:aws:iam::{house.account_id}:user/alice"
    for ends_at in (1, 2, 3):
        deadline = Deadline(monkeypatch, SOURCES, ends_at=ends_at)
        assert refused("SimulatePrincipalPolicy", policy_source_arn=source, action_names=["s3:A"]) == ("RequestTimeout", "over")
        assert deadline.looks == ends_at


def test_the_deadline_holds_while_keys_are_gathered(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(monkeypatch, KEYS, ends_at=2)
    assert refused("GetContextKeysForCustomPolicy", policy_input_list=[allow("s3:*")] * 3) == ("RequestTimeout", "over")
    assert deadline.looks == 2


def test_the_deadline_holds_for_each_role_that_is_looked_up(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(monkeypatch, SIMULATIONS, ends_at=7)
    monkeypatch.setattr(simulator.Simulation, "result", None)  # nothing is decided before that
    roles = [f"arn:aws:iam::111122223333:role/{i}" for i in range(10)]
    found = refused("SimulateCustomPolicy", policy_input_list=[allow("sts:*")], action_names=["sts:AssumeRole"], resource_arns=roles)
    assert (found, deadline.looks) == (("RequestTimeout", "over"), 7)


def test_one_simulation_computes_at_once(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"policy_input_list": [allow("s3:*")], "action_names": ["s3:A"]}
    turns = Turns()
    monkeypatch.setattr(simulations, "_turns", turns)
    house.call("SimulateCustomPolicy", **fields)
    with monkeypatch.context() as patched, turns.turn("444455556666"):
        patched.setattr(turns, "turn", lambda account, _: Turns.turn(turns, account, 0.0))  # no time is left to wait
        assert refused("SimulateCustomPolicy", **fields)[0] == "RequestTimeout"
        user = house.user("alice")
        assert user.access_key_id
        source = f"arn:aws:iam::{house.account_id}:user/alice"
        assert refused("SimulatePrincipalPolicy", policy_source_arn=source, action_names=["s3:A"])[0] == "RequestTimeout"
    house.call("SimulateCustomPolicy", **fields)


@pytest.mark.parametrize(("resources", "each", "together"), [(0, 64, 64), (10, 64, 64), (100, 40, 40), (1000, 4, 4)])
def test_so_many_statements_are_shown(house: House, resources: int, each: int, together: int) -> None:
    (result,) = house.call(
        "SimulateCustomPolicy",
        policy_input_list=[document(*[ALL] * 100)],
        action_names=["s3:GetObject"],
        resource_arns=RESOURCES[:resources],
    ).evaluation_results
    assert len(result.matched_statements) == together
    assert {len(one.matched_statements) for one in result.resource_specific_results} == ({each} if resources else set())
    columns = [one.start_position.column for one in result.matched_statements]
    assert columns == sorted(columns)


def test_a_policy_is_located_once(house: House) -> None:
    """However many statements of it are shown, of however many policies beside it."""
    texts = [document(*[{**ALL, "Sid": f"s{i}"}] * 1, {**ALL, "Sid": f"t{i}"}) for i in range(40)]
    with mock.patch.object(positions, "locate", side_effect=positions.locate) as locate:
        results = house.call(
            "SimulateCustomPolicy", policy_input_list=texts, action_names=["s3:A", "s3:B", "s3:C"], resource_arns=RESOURCES[:3]
        ).evaluation_results
    assert [len(one.matched_statements) for one in results] == [64, 64, 64]
    assert locate.call_count == 32
