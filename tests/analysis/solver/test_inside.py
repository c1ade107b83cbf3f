"""Access from within, proved: every answer about a request that is open agrees with all requests of a small universe."""

import itertools
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from sekisho import policy
from sekisho.analysis import inside, solver
from sekisho.analysis.inside import Outlook
from sekisho.policy import Attached, Layers, Principal, Request

OWN, OTHER = "111122223333", "444455556666"
ROLE = Principal(
    "assumed-role",
    f"arn:aws:sts::{OWN}:assumed-role/app/session",
    OWN,
    role_arn=f"arn:aws:iam::{OWN}:role/team/app",
    unique_id="AROAAAAAAAAAAAAAAAAAA",
)
USER = Principal("user", f"arn:aws:iam::{OWN}:user/ann", OWN, unique_id="AIDAAAAAAAAAAAAAAAAAA")
ORDER = f"arn:aws:shop:us-east-1:{OWN}:order/7"


def attached(*statements: dict[str, Any]) -> Attached:
    return Attached(policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": list(statements)})), name="document")


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "shop:*", "Resource": "*", **more}


def request(principal: Principal = ROLE, owner: str = OWN, **keys: str) -> Request:
    known = {
        "aws:principalarn": principal.entity_arn,
        "aws:principalaccount": principal.account,
        "aws:principaltype": "User" if principal.kind == "user" else "AssumedRole",
        "aws:resourceaccount": owner,
        "aws:userid": principal.unique_id if principal.kind == "user" else f"{principal.unique_id}:session",
    }
    context = policy.Context({**known, **{name.replace("__", ":").replace("_", "/"): value for name, value in keys.items()}})
    return Request(principal, "shop:Read", ORDER, owner, context)


def is_real(made: Request) -> bool:
    """Whether somebody could make a request: what a session is called, its ARN and `aws:userid` say alike, where policies ask for that."""
    said = made.context.get("aws:userid")
    if said is None or made.principal.kind == "user":
        return True
    assert isinstance(said, str)
    name = said.partition(":")[2]
    return made.principal.arn.rpartition("/")[2] == name and len(name) >= 2


def answer(made: Request, layers: Layers) -> str:
    """Allowed, never, or what the solver says; what it says yes to, the evaluator allows."""
    if policy.decide(made, layers).allowed:
        return "allowed"
    if inside.outlook(made, layers) is Outlook.NEVER:
        return "never"
    verdict = solver.inside(inside.case_of(made, layers), milliseconds=5000)
    if verdict.witness is not None:
        shown = replace(made, principal=verdict.witness.principal, context=policy.Context(verdict.witness.context))
        assert policy.decide(shown, layers).allowed
        assert is_real(shown)
    return verdict.answer.value


OFFICE = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
WIDER = {"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}
TEAM = {"StringEquals": {"shop:Kind": "${aws:PrincipalTag/team}"}}


ROLES, SESSIONS = {"AWS": ROLE.role_arn}, {"AWS": ROLE.arn}
KIND = statement("Deny", Condition={"Null": {"shop:Kind": "true"}})
PERIMETER = ((attached(statement("Deny", Principal="*", Condition=WIDER)),),)
CASES = {
    "no_condition": ("allowed", Layers((attached(statement()),))),
    "another_resource": ("never", Layers((attached(statement(Resource="arn:aws:shop:*:*:cart/*")),))),
    "an_address": ("yes", Layers((attached(statement(Condition=OFFICE)),))),
    "an_address_within_a_denied_range": ("no", Layers((attached(statement(Condition=OFFICE), statement("Deny", Condition=WIDER)),))),
    "a_boundary_that_asks_for_a_tag": (
        "no",
        Layers((attached(statement(Condition=OFFICE)),), boundary=(attached(statement(Condition=TEAM)),)),
    ),
    "an_empty_boundary": ("never", Layers((attached(statement(Condition=OFFICE)),), boundary=())),
    "an_scp_that_denies_without_a_key": ("yes", Layers((attached(statement()),), scps=((attached(KIND, statement()),),))),
    "a_level_without_an_scp": ("never", Layers((attached(statement()),), scps=((attached(statement(Condition=OFFICE)),), ()))),
    "an_rcp_that_denies_the_range": ("no", Layers((attached(statement(Condition=OFFICE)),), rcps=PERIMETER)),
    "a_resource_that_names_the_role": ("yes", Layers((), attached(statement(Principal=ROLES, Condition=OFFICE)))),
    "a_resource_that_names_the_account": ("never", Layers((), attached(statement(Principal={"AWS": OWN}, Condition=OFFICE)))),
    "a_named_role_within_its_boundary": ("never", Layers((), attached(statement(Principal=ROLES, Condition=OFFICE)), boundary=())),
    "a_named_session_beyond_its_boundary": ("yes", Layers((), attached(statement(Principal=SESSIONS, Condition=OFFICE)), boundary=())),
    "a_session_of_the_role": ("yes", Layers((attached(statement(Condition={"StringEquals": {"aws:userid": f"{ROLE.unique_id}:bob"}})),))),
    "a_session_of_another_role": (
        "no",
        Layers((attached(statement(Condition={"StringEquals": {"aws:userid": "AROABBBBBBBBBBBBBBBBB:bob"}})),)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers(name: str) -> None:
    expected, layers = CASES[name]
    assert answer(request(), layers) == expected


def test_known_keys_have_their_values() -> None:
    layers = Layers((attached(statement(Condition=TEAM)),))
    assert answer(request(), layers) == "no"  # without the tag there is nothing to be equal to
    tagged = request(aws__principaltag_team="blue")
    assert answer(tagged, layers) == "yes"
    verdict = solver.inside(inside.case_of(tagged, layers), milliseconds=5000)
    assert verdict.witness is not None
    assert verdict.witness.context["shop:kind"] == "blue"


def test_across_accounts_both_must_allow() -> None:
    made = request(owner=OTHER)
    identity, own = attached(statement(Condition=OFFICE)), attached(statement(Principal={"AWS": OWN}))
    assert answer(made, Layers((identity,))) == "never"
    assert answer(made, Layers((), own)) == "never"
    assert answer(made, Layers((identity,), own)) == "yes"
    assert answer(made, Layers((identity,), attached(statement(Principal={"AWS": OTHER})))) == "never"


VALUES: dict[str, list[str | None]] = {
    "shop:a": [None, "x", "y", "z"],
    "shop:b": [None, "x", "y", "z", "zz"],
    "aws:sourceip": [None, "10.0.0.1", "11.0.0.1"],
}


def condition(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        [
            {},
            {"StringEquals": {"shop:a": rng.sample(["x", "y"], rng.choice([1, 2]))}},
            {"StringNotEquals": {"shop:a": "x"}},
            {"StringEqualsIfExists": {"shop:b": "x"}},
            {"StringLike": {"shop:b": rng.choice(["x", "y", "?"])}},
            {"StringEquals": {"shop:a": "${aws:PrincipalTag/team}"}},
            {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
            {"Null": {"shop:a": rng.choice(["true", "false"])}},
            {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            {"StringEquals": {"aws:PrincipalTag/team": "x"}},
        ]
    )


def some_policy(rng: random.Random, *, of_resource: bool = False, control: bool = False) -> Attached:
    made = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        effect = "Deny" if control or rng.random() < 0.3 else "Allow"
        more: dict[str, Any] = {"Condition": found} if (found := condition(rng)) else {}
        if of_resource:
            names = ["*", {"AWS": OWN}, {"AWS": ROLE.role_arn}, {"AWS": USER.arn}, {"AWS": ROLE.arn}, {"AWS": OTHER}]
            more["Principal"] = "*" if control else rng.choice(names)
        made.append(statement(effect, Action=rng.choice(["shop:*", "shop:Read", "shop:Ship"]), Resource=rng.choice(["*", ORDER]), **more))
    return attached(*made)


def some_case(rng: random.Random) -> tuple[Request, Layers]:
    tags = {f"aws__{kind}tag_team": rng.choice(["x", "y"]) for kind in ("principal", "resource") if rng.random() < 0.5}
    made = request(rng.choice([ROLE, USER]), rng.choice([OWN, OWN, OTHER]), **tags)
    return made, Layers(
        tuple(some_policy(rng) for _ in range(rng.choice([0, 1, 1, 2]))),
        some_policy(rng, of_resource=True) if rng.random() < 0.5 else None,
        (some_policy(rng),) if rng.random() < 0.3 else None,
        None,
        ((some_policy(rng),),) if rng.random() < 0.2 else None,
        ((some_policy(rng, of_resource=True, control=True),),) if rng.random() < 0.2 else None,
    )


def possible(made: Request, layers: Layers) -> bool:
    """Whether any request of the universe is allowed."""
    for values in itertools.product(*VALUES.values()):
        said = {name: value for name, value in zip(VALUES, values, strict=True) if value is not None}
        if policy.decide(replace(made, context=policy.Context({**made.context, **said})), layers).allowed:
            return True
    return False


def test_answers_agree_with_a_small_universe() -> None:
    rng = random.Random(19)
    counted: dict[str, int] = {}
    for _ in range(1500):
        made, layers = some_case(rng)
        said = answer(made, layers)
        counted[said] = counted.get(said, 0) + 1
        assert (said in ("allowed", "yes")) == possible(made, layers) or said == "unknown", (said, made, layers)
    assert min(counted.get(one, 0) for one in ("allowed", "never", "yes", "no")) > 20, counted
    assert counted.get("unknown", 0) < 15, counted


def test_whoever_assumes_a_role_chooses_the_name_of_the_session() -> None:
    """A resource's policy that allows or denies one session alone: what another session can do is not hidden."""
    bob = ROLE.arn.replace("/session", "/bob")
    named = Layers((), attached(statement(Principal={"AWS": bob}, Condition=OFFICE)))
    assert [(one.principal.arn, answer(one, named)) for one in inside.sessions(request(), named)] == [(ROLE.arn, "never"), (bob, "yes")]
    denied = Layers((attached(statement()),), attached(statement("Deny", Principal=SESSIONS)))
    assert [(one.principal.arn, answer(one, denied)) for one in inside.sessions(request(), denied)] == [
        (f"{ROLE.arn}-", "allowed"),
        (ROLE.arn, "never"),
    ]
    assert [one.context["aws:userid"] for one in inside.sessions(request(), named)] == [
        f"{ROLE.unique_id}:session",
        f"{ROLE.unique_id}:bob",
    ]
    assert [one.principal for one in inside.sessions(request(USER), named)] == [USER]


BOB = ROLE.arn.replace("/session", "/bob")


def test_only_sessions_that_there_can_be_are_asked_about() -> None:
    """A name of one letter is nobody's; what a control policy says of a session does not hold for a service-linked role."""
    named = Layers((attached(statement()),), attached(statement(Principal={"AWS": [f"{ROLE.arn}!", ROLE.arn[:-6]]})))
    assert [one.principal.arn for one in inside.sessions(request(), named)] == [ROLE.arn]
    linked = replace(ROLE, kind="service-linked-role")
    denied = Layers((attached(statement()),), rcps=((attached(statement("Deny", Principal={"AWS": BOB})),),))
    assert [one.principal.arn for one in inside.sessions(request(linked), denied)] == [ROLE.arn]
    assert [one.principal.arn for one in inside.sessions(request(), denied)] == [ROLE.arn, BOB]


def test_a_home_that_is_called_like_the_session() -> None:
    """What stands in the place of the variable is found, though there is a colon in it."""
    home = Layers((attached(statement(Resource=f"arn:aws:shop:us-east-1:{OWN}:order/${{aws:userid}}")),))
    made = replace(request(), resource=f"arn:aws:shop:us-east-1:{OWN}:order/{ROLE.unique_id}:bob")
    verdict = solver.inside(inside.case_of(made, home), milliseconds=5000)
    assert verdict.witness is not None
    assert verdict.witness.principal.arn == BOB
    assert answer(made, home) == "yes"
    assert answer(replace(made, resource=made.resource.replace(":bob", ":b")), home) in ("no", "unknown")


def called(name: str) -> dict[str, Any]:
    return {"StringLike": {"aws:userid": f"*:{name}"}}


NAMED: dict[str, tuple[str, str, Layers]] = {
    "bob_is_not_alice": ("bob", "no", Layers((), attached(statement(Principal={"AWS": BOB}, Condition=called("alice"))))),
    "bob_is_bob": ("bob", "yes", Layers((), attached(statement(Principal={"AWS": BOB}, Condition=called("b?b") | OFFICE)))),
    "whom_a_policy_denies_is_not_called_otherwise": (
        "session",
        "no",
        Layers((attached(statement(Condition=called("bob"))),), attached(statement("Deny", Principal={"AWS": BOB}))),
    ),
    "another_is": (
        "session",
        "yes",
        Layers((attached(statement(Condition=called("bo*"))),), attached(statement("Deny", Principal={"AWS": BOB}))),
    ),
    "nobody_is_called_by_one_letter": ("session", "no", Layers((attached(statement(Condition=called("b"))),))),
    "nor_by_what_no_name_has": ("session", "no", Layers((attached(statement(Condition=called("b b"))),))),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_session_has_one_name(name: str) -> None:
    """The session of the ARN and that of `aws:userid` are one: what no caller can be permits nothing."""
    who, expected, layers = NAMED[name]
    made = next(one for one in inside.sessions(request(), layers) if one.principal.arn.endswith(f"/{who}"))
    assert answer(made, layers) == expected
