"""What was not used: who and what is found, and that what removes it removes nothing else."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import policy
from sekisho.analysis.unused import Credential, Granted, Holder, Kind, Step, Unused, find, narrowed
from sekisho.errors import MalformedPolicyDocument

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACCOUNT = "111122223333"
ANN, BOT = f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:role/bot"
WHO = policy.Principal("user", ANN, ACCOUNT)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def ann(**fields: Any) -> Holder:
    return replace(Holder("AIDA1", ANN, Kind.USER, ago(400)), **fields)


def bot(**fields: Any) -> Holder:
    return replace(Holder("AROA1", BOT, Kind.ROLE, ago(400)), **fields)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"} | more


OLD, FRESH = Credential("AKIAOLD", ago(300), ago(120)), Credential("AKIAFRESH", ago(300), ago(2))
HOLDERS: dict[str, tuple[Holder, dict[str, datetime], list[tuple[Kind, str, int, Step]]]] = {
    "a_user_that_does_nothing": (ann(keys=(OLD,)), {}, [(Kind.USER, "", 120, Step.DELETE_USER)]),
    "a_user_that_never_did_anything": (ann(), {}, [(Kind.USER, "", 400, Step.DELETE_USER)]),
    "a_user_that_is_new": (ann(created_at=ago(10), keys=(Credential("AKIA", ago(10)),)), {}, []),
    "a_user_that_a_service_asks_about": (ann(), {"orders:Ship": ago(3)}, []),
    "a_user_whose_last_use_is_just_in_the_window": (ann(), {"orders:Ship": ago(90)}, []),
    "a_user_whose_last_use_is_just_before_it": (ann(), {"orders:Ship": ago(90.1)}, [(Kind.USER, "", 90, Step.DELETE_USER)]),
    "one_of_two_keys": (ann(keys=(OLD, FRESH)), {}, [(Kind.ACCESS_KEY, "AKIAOLD", 120, Step.DELETE_ACCESS_KEY)]),
    "a_key_that_never_was_used": (
        ann(keys=(Credential("AKIANEVER", ago(200)), FRESH)),
        {},
        [(Kind.ACCESS_KEY, "AKIANEVER", 200, Step.DELETE_ACCESS_KEY)],
    ),
    "a_password": (
        ann(keys=(FRESH,), password=Credential("", ago(300), ago(100))),
        {},
        [(Kind.PASSWORD, "", 100, Step.DELETE_LOGIN_PROFILE)],
    ),
    "a_password_that_is_new": (ann(keys=(FRESH,), password=Credential("", ago(5))), {}, []),
    "a_role_that_nobody_assumes": (bot(last_used_at=ago(200)), {}, [(Kind.ROLE, "", 200, Step.DELETE_ROLE)]),
    "a_role_that_somebody_assumes": (bot(last_used_at=ago(1)), {}, []),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_holders_and_credentials(name: str) -> None:
    holder, uses, expected = HOLDERS[name]
    found = find([holder], [], {holder.id: uses}, now=NOW, days=90)
    assert [(one.kind, one.name, one.days, one.step) for one in found] == expected
    assert all(one.arn == holder.arn for one in found)


def test_a_policy_is_measured_by_all_who_have_it() -> None:
    given = Granted("arn:p", "p", document(allow("orders:Ship", "orders:Get", "orders:List")), frozenset(("AIDA1", "AROA1")))
    uses = {"AIDA1": {"orders:Ship": ago(1)}, "AROA1": {"orders:Get": ago(1), "orders:List": ago(91)}, "AIDA9": {"orders:List": ago(1)}}
    (found,) = find([], [given], uses, now=NOW, days=90)
    assert (found.kind, found.arn, found.step, found.actions) == (Kind.PERMISSION, "arn:p", Step.REPLACE_POLICY, ("orders:List",))
    assert json.loads(found.document)["Statement"] == [allow("orders:Ship", "orders:Get")]


def test_a_policy_of_which_nothing_is_used_is_detached() -> None:
    (found,) = find([], [Granted("arn:p", "p", document(allow("orders:Ship")), frozenset(("AIDA1",)))], {}, now=NOW, days=90)
    assert found == Unused(Kind.PERMISSION, "arn:p", "p", None, 90, Step.DETACH_POLICY, ("orders:Ship",), (), "")


def test_a_policy_that_is_new_is_left_out() -> None:
    given = Granted("arn:p", "p", document(allow("orders:Ship")), frozenset(("AIDA1",)), since=ago(5))
    assert find([], [given], {}, now=NOW, days=90) == ()


DENY = {"Effect": "Deny", "Action": "orders:Cancel", "Resource": "*"}
ONLY = {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
NARROWED: dict[str, tuple[list[dict[str, Any]], set[str], list[dict[str, Any]] | None, tuple[str, ...], tuple[str, ...]]] = {
    "a_star": ([allow("orders:*")], {"orders:Ship"}, [allow("orders:Ship")], (), ("orders:*",)),
    "everything": ([allow("*")], {"orders:Ship", "a:B"}, [allow("a:B", "orders:Ship")], (), ("*",)),
    "conditions_resources_and_sids_stay": (
        [allow("orders:Get*", Sid="a", Resource="arn:aws:orders:::x", Condition=ONLY)],
        {"orders:GetOrder"},
        [allow("orders:GetOrder", Sid="a", Resource="arn:aws:orders:::x", Condition=ONLY)],
        (),
        ("orders:Get*",),
    ),
    "a_deny_stays": ([allow("orders:Get"), DENY], set(), [DENY], ("orders:Get",), ()),
    "spelling_does_not_count": ([allow("orders:SHIP")], {"Orders:ship"}, [allow("orders:SHIP")], (), ()),
    "all_but": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        {"iam:GetUser", "orders:Ship"},
        [{"Effect": "Allow", "Resource": "*", "Action": ["orders:Ship"]}],
        (),
        ("all but iam:*",),
    ),
    "all_but_what_was_used": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], {"iam:GetUser"}, None, ("all but iam:*",), ()),
    "a_star_of_a_prefix_spans_no_colon": ([allow("*:Get")], {"orders:Get"}, [allow("orders:Get")], (), ("*:Get",)),
    "a_statement_that_is_not_used": ([allow("orders:Get"), allow("a:B")], {"orders:Get"}, [allow("orders:Get")], ("a:B",), ()),
}


@pytest.mark.parametrize("name", NARROWED)
def test_narrowed(name: str) -> None:
    given, used, kept, unused, partly = NARROWED[name]
    found = narrowed(document(*given), used)
    assert (found.unused, found.partly) == (unused, partly)
    assert (json.loads(found.document)["Statement"] if found.document else None) == kept


def test_one_statement_without_a_list() -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": allow("orders:Get", "orders:Ship")})
    assert json.loads(narrowed(text, {"orders:Get"}).document)["Statement"] == [allow("orders:Get")]


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(MalformedPolicyDocument):
        narrowed("{}", set())


PATTERNS = ("orders:Ship", "orders:*", "orders:Get*", "*", "o*:Ship", "orders:?hip", "a:B", "orders:Cancel")
ACTIONS = ("orders:Ship", "orders:GetOrder", "orders:GetParcel", "orders:Cancel", "a:B", "a:C", "orders:Whip")
RESOURCES = ("arn:aws:orders:::1", "arn:aws:orders:::2", "*")


def statement(chance: random.Random) -> dict[str, Any]:
    element = "NotAction" if chance.random() < 0.2 else "Action"
    return {
        "Effect": "Deny" if chance.random() < 0.25 else "Allow",
        element: chance.sample(PATTERNS, chance.randint(1, 3)),
        "Resource": chance.choice(("*", "arn:aws:orders:::1", ["arn:aws:orders:::2", "arn:aws:orders:::1"])),
    }


def is_allowed(text: str, action: str, resource: str) -> bool:
    if not text:
        return False
    attached = policy.Attached(policy.compile_policy(policy.parse(text)), name="p")
    request = policy.Request(WHO, action, resource, ACCOUNT, policy.context({}))
    return policy.decide(request, policy.Layers(identity=(attached,))).allowed


@pytest.mark.parametrize("seed", range(300))
def test_what_was_used_is_permitted_as_before_and_nothing_else_is(seed: int) -> None:
    chance = random.Random(seed)
    text = document(*(statement(chance) for _ in range(chance.randint(1, 4))))
    used = set(chance.sample(ACTIONS, chance.randint(0, 4)))
    left = narrowed(text, used).document
    for action in ACTIONS:
        for resource in RESOURCES:
            expected = action in used and is_allowed(text, action, resource)
            assert is_allowed(left, action, resource) is expected, (action, resource, text, left)
