"""Answers of simulations, put together from decisions without a server."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import policy, world
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.errors import SekishoError, ValidationError
from sekisho.policy import weights
from sekisho.policy.budget import TooMuchWork
from sekisho.policy.layers import Place
from sekisho.services.iam import simulator
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.services.iam.simulator import Simulation
from sekisho.world import Acting, Asked, Subject
from sekisho.world.placement import Placement
from tests.calls.fakes import ACCOUNT, ANN, NOW, OTHER, USER_ARN, FakeWorld

KEY, SECRET, ROLE = "arn:aws:s3:::bucket/key", "arn:aws:s3:::secret/x", f"arn:aws:iam::{ACCOUNT}:role/r"
LOOKUP: Any = "lookup"
STRANGER = Acting(Subject("", ACCOUNT), policy.Principal("user", USER_ARN, ACCOUNT), {}, identity=())


def source(name: str, *statements: dict[str, Any]) -> SourcePolicy:
    """A policy of these statements, allowed on everything unless they say otherwise."""
    whole = [{"Effect": "Allow", "Action": "*", **({} if "Principal" in one else {"Resource": "*"}), **one} for one in statements]
    text = json.dumps({"Version": "2012-10-17", "Statement": whole})
    return SourcePolicy(policy.Attached(policy.compiled(text), name=name), text, "input", name)


ALL, S3, SQS = source("all", {}), source("s3", {"Action": "s3:*"}), source("sqs", {"Action": "sqs:*"})
DENY = {"Effect": "Deny", "Resource": SECRET}
TRUST = source(
    "trust", {"Principal": {"AWS": USER_ARN}, "Action": "sts:AssumeRole", "Condition": {"StringLike": {"my:KEY": "*", "a:b": "*"}}}
)


def simulation(*identity: SourcePolicy, **parts: Any) -> Simulation:
    whole: dict[str, Any] = {"subject": STRANGER, "keys": {}, "identity": identity}
    return Simulation(**whole | parts)


def result(made: Simulation, *resources: str, action: str = "s3:Get") -> Any:
    return made.result(action, resources, lambda question: question(FakeWorld().get_record, NOW))


def shown(one: Any) -> list[str]:
    return [f"{each.source_policy_id} {each.source_policy_type}" for each in one.matched_statements]


def test_all_of_the_subject_is_supposed_but_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(world, "question", lambda *given: asked.append(given))
    held = replace(
        STRANGER,
        identity=(ALL.attached,),
        boundary=(ALL.attached,),
        session=(ALL.attached,),
        scps=((ALL.attached,),),
        placement=Placement("o", "o/r/", ((),), ((),)),
    )
    bare = simulation(S3, subject=held, keys={"a:b": "c"}, owner=OTHER)
    bare.question("s3:Get", KEY, LOOKUP, NOW)
    supposed = replace(held, identity=(S3.attached,), boundary=None, session=None, scps=None, placement=Placement("o", "o/r/", ((),), None))
    question = Asked("s3:Get", KEY, resource_account=OTHER, override={"a:b": "c"}, registered=False)
    assert asked.pop() == (supposed, question, LOOKUP, NOW)
    whole = simulation(S3, boundary=(SQS,), scps=((ALL,), (S3, SQS)), resource_policy=SQS, trusts={ROLE: TRUST}, owner=OTHER)
    whole.question("sts:AssumeRole", ROLE, LOOKUP, NOW)
    supposed = replace(
        STRANGER, identity=(S3.attached,), boundary=(SQS.attached,), scps=((ALL.attached,), (S3.attached, SQS.attached)), placement=None
    )
    question = Asked("sts:AssumeRole", ROLE, resource_account=ACCOUNT, resource_policy=SQS.attached, registered=False)
    assert asked.pop() == (supposed, question, LOOKUP, NOW)
    trusting = simulation(trusts={ROLE: TRUST})
    for action, resource, found in (("sts:AssumeRole", ROLE, TRUST.attached), ("s3:Get", ROLE, None), ("sts:AssumeRole", f"{ROLE}2", None)):
        trusting.question(action, resource, LOOKUP, NOW)
        assert asked.pop()[1].resource_policy is found


def test_a_user_with_a_record_is_composed_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeWorld()
    asked: list[Any] = []
    monkeypatch.setattr(world, "question", lambda *given: asked.append(given))
    simulation(S3, subject=ANN).question("s3:Get", KEY, made.get_record, NOW)
    assert (asked[0][0].arn, asked[0][0].identity) == (USER_ARN, (S3.attached,))


def test_an_action_on_everything() -> None:
    found = result(simulation(S3))
    assert (found.eval_action_name, found.eval_resource_name, found.eval_decision) == ("s3:Get", "*", "allowed")
    assert (shown(found), list(found.missing_context_values)) == (["s3 IAM Policy"], [])
    assert (len(found.resource_specific_results), len(found.eval_decision_details)) == (0, 0)
    assert not found.HasField("permissions_boundary_decision_detail")
    assert not found.HasField("organizations_decision_detail")


def test_every_layer_says_where_its_statements_come_from() -> None:
    of_resource = source("bucket", {"Principal": {"AWS": USER_ARN}, "Resource": "*"})
    found = result(simulation(S3, ALL, resource_policy=of_resource), KEY)
    assert shown(found) == ["bucket Resource Policy", "s3 IAM Policy", "all IAM Policy"]
    denying = source("bound", {}, DENY)
    found = result(simulation(ALL, boundary=(denying,)), SECRET)
    assert (shown(found), found.eval_decision) == (["bound Permissions Boundary Policy"], "explicitDeny")
    found = result(simulation(ALL, resource_policy=source("bucket", {"Effect": "Deny", "Principal": "*", "Resource": "*"})), KEY)
    assert (shown(found), found.eval_decision) == (["bucket Resource Policy"], "explicitDeny")
    found = result(simulation(ALL, scps=((source("scp", DENY, {}),),)), SECRET)
    assert (shown(found), found.eval_decision) == ([], "explicitDeny")
    found = result(simulation(trusts={ROLE: TRUST}, keys={"my:key": "1", "a:b": "2"}), ROLE, action="sts:AssumeRole")
    assert (shown(found), found.eval_decision) == (["trust Resource Policy"], "allowed")


def test_keys_that_are_missing_are_named_once_as_the_first_policy_spells_them() -> None:
    own = source("own", {"Condition": {"StringLike": {"my:Key": "*", "c:d": "*"}}})
    found = result(simulation(own, trusts={ROLE: TRUST}), ROLE, action="sts:AssumeRole")
    assert sorted(found.missing_context_values) == ["a:b", "c:d", "my:Key"]
    found = result(simulation(own, trusts={ROLE: TRUST}, keys={"my:key": "1"}), KEY, ROLE, action="sts:AssumeRole")
    assert [sorted(one.missing_context_values) for one in found.resource_specific_results] == [["c:d"], ["a:b", "c:d"]]
    assert list(found.missing_context_values) == list(dict.fromkeys(found.missing_context_values))
    bound = source("bound", {"Condition": {"StringLike": {"e:f": "*"}}})
    found = result(
        simulation(S3, boundary=(bound,), resource_policy=source("of", {"Principal": "*", "Condition": {"Null": {"g:h": "true"}}}))
    )
    assert sorted(found.missing_context_values) == ["e:f", "g:h"]
    found = result(simulation(S3, scps=((own,),)))
    assert list(found.missing_context_values) == []


def test_an_organization_must_allow_at_each_level_on_each_resource() -> None:
    def permitted(*levels: tuple[SourcePolicy, ...]) -> bool:
        found = result(simulation(ALL, scps=levels), KEY, SECRET)
        return bool(found.organizations_decision_detail.allowed_by_organizations)

    assert permitted((ALL,), (SQS, S3))
    assert not permitted((SQS,), (ALL,))
    assert not permitted((ALL,), (SQS,))
    assert not permitted((source("last", {}, DENY),))
    assert not permitted((source("first", {}, DENY | {"Resource": KEY}),))


def test_a_boundary_on_each_resource() -> None:
    found = result(simulation(ALL, boundary=(source("bound", {}, DENY),)), KEY, SECRET)
    each = [one.permissions_boundary_decision_detail.allowed_by_permissions_boundary for one in found.resource_specific_results]
    assert (each, found.permissions_boundary_decision_detail.allowed_by_permissions_boundary) == ([True, False], False)
    assert (found.eval_decision, found.eval_resource_name) == ("explicitDeny", "*")
    found = result(simulation(ALL, boundary=(S3,)))
    assert found.permissions_boundary_decision_detail.allowed_by_permissions_boundary is True


def test_standings_are_told_across_accounts_alone() -> None:
    of_resource = source("bucket", {"Principal": {"AWS": USER_ARN}, "Resource": KEY})
    told = {"IAM Policy": "allowed", "Resource Policy": "allowed"}
    across = simulation(S3, resource_policy=of_resource, owner=OTHER)
    found = result(across, KEY)
    assert dict(found.eval_decision_details) == dict(found.resource_specific_results[0].eval_decision_details) == told
    assert dict(result(across, KEY, SECRET).eval_decision_details) == told | {"Resource Policy": "implicitDeny"}
    assert dict(result(across).eval_decision_details) == {}
    bounded = simulation(S3, boundary=(SQS,), owner=OTHER)
    expected = {"IAM Policy": "allowed", "Resource Policy": "implicitDeny", "Permissions Boundary Policy": "implicitDeny"}
    assert dict(result(bounded, KEY).eval_decision_details) == expected
    assert dict(result(simulation(S3, resource_policy=of_resource, owner=ACCOUNT), KEY).eval_decision_details) == {}


def test_the_worst_decision_is_the_whole_with_the_statements_that_made_it() -> None:
    def one(decision: str, *ids: str, **standings: str) -> Any:
        statements = [pb.Statement(source_policy_id=id_) for id_ in ids]
        made = pb.ResourceSpecificResult(eval_resource_decision=decision, matched_statements=statements, missing_context_values=ids)
        made.eval_decision_details.update(standings)
        return made

    whole = simulator._together(
        [one("allowed", "a", x="explicitDeny"), one("implicitDeny"), one("allowed", "b", x="allowed", y="implicitDeny")]
    )
    assert (whole.eval_resource_decision, shown(whole)) == ("implicitDeny", [])
    assert list(whole.missing_context_values) == ["a", "b"]
    assert dict(whole.eval_decision_details) == {"x": "explicitDeny", "y": "implicitDeny"}
    assert not whole.HasField("permissions_boundary_decision_detail")
    whole = simulator._together([one("explicitDeny", "a", "b"), one("implicitDeny", "c"), one("explicitDeny", "b", "d")])
    assert [each.source_policy_id for each in whole.matched_statements] == ["a", "b", "d"]


class Noted:
    """A budget that notes what is spent."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.charged: list[tuple[Any, ...]] = []

    def spend(self, cost: float) -> None:
        self.spent.append(cost)

    def charge(self, *given: Any) -> None:
        self.charged.append(given)


def test_what_is_charged() -> None:
    """Looking for keys once an action, then each decision by its policies, and each statement that is shown by its text the first time."""
    own = source(
        "own", {"Condition": {"Null": {"a:b": "true", "c:d": "true"}}}, {"Action": "sqs:*"}, {"Effect": "Deny", "Action": "s3:Put"}
    )
    scp, noted = source("scp", {}), Noted()
    made = simulation(own, scps=((scp,),), work=noted)
    result(made, KEY, SECRET)

    def keys(one: SourcePolicy) -> float:
        return 2 * one.attached.program.lookup("s3:Get") + 300.0 * len(one.attached.program.rules)

    decision = [100_000.0 + 2 * weights.LOOKED, 3 * weights.POLICY, 3 * weights.POLICY]
    assert noted.spent == [keys(own), keys(scp), *decision, 10_000.0 + 400.0 * len(own.text), *decision, 10_000.0]
    places = [Place(layer, 0, one.attached) for layer, one in ((policy.Layer.SCP, scp), (policy.Layer.IDENTITY, own))]
    sides = [side[-1] for place in places for side in place.bucket("s3:Get")[:2] if side is not None]
    assert [given[0] for given in noted.charged] == [weight for weight in sides for _ in range(3)] * 2
    assert {given[1] for given in noted.charged} == {KEY, SECRET}
    noted.spent.clear()
    of_resource = source("bucket", {"Principal": "*", "Resource": "*"})
    result(simulation(resource_policy=of_resource, work=noted), KEY)
    assert noted.spent == [keys(of_resource), 100_000.0, 3 * weights.POLICY, 10_000.0 + 400.0 * len(of_resource.text)]
    noted.spent.clear()
    result(simulation(trusts={ROLE: TRUST}, work=noted), ROLE, action="sts:AssumeRole")
    trust = 2 * TRUST.attached.program.lookup("sts:AssumeRole") + 300.0
    assert noted.spent[:3] == [trust, 100_000.0 + 2 * weights.LOOKED, 3 * weights.POLICY]


def test_work_is_limited_by_five_seconds_and_counts_all() -> None:
    work = simulation().work
    assert (work.left, work.strict) == (5_000_000_000.0, True)


def test_a_result_ends_where_it_becomes_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [one.ByteSize() for one in result(simulation(S3), KEY, SECRET).resource_specific_results]
    monkeypatch.setattr(simulator, "MOST_BYTES", sum(sizes))
    assert len(result(simulation(S3), KEY, SECRET).resource_specific_results) == 2
    monkeypatch.setattr(simulator, "MOST_BYTES", sum(sizes) - 1)
    with pytest.raises(TooMuchWork):
        result(simulation(S3), KEY, SECRET)


def test_results_are_told_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each decision, for each statement, for each result that decides the whole, and for each 64 that are told."""
    stepped: list[None] = []
    monkeypatch.setattr(simulator, "steps", SimpleNamespace(step=lambda: stepped.append(None)))
    resources = [f"{KEY}{number}" for number in range(65)]
    found = result(simulation(source("deny", {"Effect": "Deny", "Resource": "*"})), *resources)
    assert [one.eval_resource_name for one in found.resource_specific_results] == resources
    assert len(stepped) == 65 + 65 + 65 + 2
    stepped.clear()
    result(simulation())
    assert len(stepped) == 1


def test_what_cannot_be_simulated_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> Any:
        raise ValidationError("too large")

    with pytest.raises(SekishoError) as caught:
        simulation(S3).result("s3:Get", (), wrong)
    assert (caught.value.code, caught.value.message) == ("PolicyEvaluation", "The simulation of s3:Get could not be carried out: too large")
