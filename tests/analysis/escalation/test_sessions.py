"""Paths that take a session of a certain name: whoever assumes a role names the session."""

from dataclasses import replace

import pytest

from sekisho import world
from sekisho.analysis.escalation import find, find_across, sessions
from tests.analysis.escalation.worlds import (
    ACCOUNT,
    EVERYTHING,
    IAM,
    STS,
    Document,
    One,
    World,
    allow,
    attached,
    deny,
    document,
    told,
    trust,
)

ADMIN = One([EVERYTHING])
BOB = f"{STS}assumed-role/dev/bob"
ROOT = trust(AWS=f"{IAM}root")
BY_USER = {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}
NAMED_BOB = {"StringEquals": {"sts:RoleSessionName": "bob"}}
ANN = One([allow("sts:AssumeRole", on=f"{IAM}role/dev")])
ONTO = "sts:AssumeRole -> "


def when(trusted: Document, condition: Document) -> Document:
    return document(*(statement | {"Condition": condition} for statement in trusted["Statement"]))


def chain(guard: Document, dev: One | None = None, ann: One = ANN) -> World:
    """Ann may assume the role dev, and that may assume the role of an administrator as far as its trust policy lets it in."""
    dev = dev or One([allow("sts:AssumeRole", on=f"{IAM}role/admin")], trust=ROOT)
    return World(users={"ann": ann}, roles={"dev": dev, "admin": replace(ADMIN, trust=guard)})


SPARED = document(
    *ROOT["Statement"],
    {"Effect": "Deny", "NotPrincipal": {"AWS": [BOB, f"{IAM}role/dev", f"{IAM}root"]}, "Action": "sts:AssumeRole"},
)
NAMING: dict[str, World] = {
    "a trust policy that names a session": chain(trust(AWS=BOB)),
    "a session that its boundary does not permit": replace(
        chain(trust(AWS=BOB), One([allow("a:B")], boundary="bound", trust=ROOT)), policies={"bound": [allow("a:B")]}
    ),
    "a Deny that spares a session": chain(SPARED),
    "a condition on the user id": chain(when(ROOT, {"StringEquals": {"aws:userid": "role/dev:bob"}})),
    "a condition on the end of a user id": chain(when(ROOT, {"StringLike": {"aws:userid": "*:bob"}})),
    "an Allow for one session": chain(ROOT, One([allow("sts:AssumeRole", when={"StringLike": {"aws:userid": "*:bob"}})], trust=ROOT)),
    "a Deny for all but one session": chain(
        ROOT,
        One(
            [allow("sts:AssumeRole", on=f"{IAM}role/admin"), deny("sts:AssumeRole", when={"StringNotLike": {"aws:userid": "*:bob"}})],
            trust=ROOT,
        ),
    ),
}


@pytest.mark.parametrize("name", NAMING)
def test_whoever_may_name_the_session_has_the_path(name: str) -> None:
    found = NAMING[name].find()
    paths = told(found)
    assert paths["user/ann"] == [f"{ONTO}assumed-role/dev/bob", f"{ONTO}role/admin"]
    first, last = next(path for path in found.paths if path.source == f"{IAM}user/ann").hops
    assert (first.on, first.becomes, last.by) == (f"{IAM}role/dev", BOB, BOB)


@pytest.mark.parametrize("name", NAMING)
def test_of_the_role_itself_it_is_said_what_that_presumes(name: str) -> None:
    """Whoever begins with the role has a session already, of whatever name."""
    found = NAMING[name].find()
    (hop,) = next(path for path in found.paths if path.source == f"{IAM}role/dev").hops
    assert (hop.by, hop.becomes, hop.presumes) == (BOB, f"{IAM}role/admin", "its session is named bob")


def test_another_session_has_none() -> None:
    """Who may not name the session so has no path: not by another name, nor by a service, which names its sessions itself."""
    named = {"StringEquals": {"sts:RoleSessionName": "eve"}}
    assert "user/ann" not in told(chain(trust(AWS=BOB), ann=One([allow("sts:AssumeRole", on=f"{IAM}role/dev", when=named)])).find())
    run = One([allow("iam:PassRole", "lambda:*")])
    served = chain(trust(AWS=BOB), One(trust=trust(Service="lambda.amazonaws.com")), run)
    assert "user/ann" not in told(served.find())


def test_a_session_that_a_policy_denies_is_not_taken() -> None:
    """The names that are tried without a need are none of which a policy speaks."""
    denied = [f"{STS}assumed-role/dev/{name}" for name in ("escalation", "another-one")]
    guard = document(*ROOT["Statement"], {"Effect": "Deny", "Principal": {"AWS": denied}, "Action": "sts:AssumeRole"})
    assert told(chain(guard).find())["user/ann"] == [f"{ONTO}role/dev", f"{ONTO}role/admin"]
    patterned = when(ROOT, {"StringNotLike": {"aws:userid": "*:e*"}})
    assert told(chain(patterned).find())["user/ann"] == [f"{ONTO}role/dev", f"{ONTO}role/admin"]


ASSUMER = One([allow("sts:AssumeRole")])
NAMES: dict[str, tuple[World, list[str] | None]] = {
    "one name": (chain(when(ROOT, NAMED_BOB)), [f"{ONTO}role/dev", f"{ONTO}assumed-role/admin/bob"]),
    "the user's own": (
        World(users={"ann": ASSUMER}, roles={"admin": replace(ADMIN, trust=when(ROOT, BY_USER))}),
        [f"{ONTO}assumed-role/admin/ann"],
    ),
    "by the user's own policy": (
        World(
            users={"ann": One([allow("sts:AssumeRole", when={"StringEquals": {"sts:RoleSessionName": "${aws:username}-x"}})])},
            roles={"admin": replace(ADMIN, trust=ROOT)},
        ),
        [f"{ONTO}assumed-role/admin/ann-x"],
    ),
    "one that is too short": (chain(when(ROOT, {"StringEquals": {"sts:RoleSessionName": "b"}})), None),
    "one that the next policy denies": (
        World(
            users={"ann": ASSUMER},
            roles={
                "dev": One([allow("sts:AssumeRole"), deny("*", when={"StringLike": {"aws:userid": "*:ann"}})], trust=when(ROOT, BY_USER)),
                "admin": replace(ADMIN, trust=trust(AWS=f"{IAM}role/dev")),
            },
        ),
        None,
    ),
    "one by a provider": (
        World(
            users={"ann": One([allow("iam:UpdateSAMLProvider")])},
            roles={"admin": replace(ADMIN, trust=when(trust(Federated=f"{IAM}saml-provider/corp"), NAMED_BOB))},
        ),
        ["iam:UpdateSAMLProvider -> assumed-role/admin/bob"],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_conditions_ask_for(name: str) -> None:
    made, expected = NAMES[name]
    assert told(made.find()).get("user/ann") == expected


def test_one_session_of_a_role_can_be_an_administrator() -> None:
    glass = One([EVERYTHING, deny("iam:*", when={"StringNotLike": {"aws:userid": "*:break-glass"}})], trust=ROOT)
    found = World(users={"ann": ANN}, roles={"dev": glass}).find()
    assert found.administrators == (f"{STS}assumed-role/dev/break-glass",)
    assert told(found) == {"user/ann": [f"{ONTO}assumed-role/dev/break-glass"], "role/dev": [f"{ONTO}assumed-role/dev/break-glass"]}


def test_a_role_takes_another_session_of_itself() -> None:
    made = chain(trust(AWS=BOB), One([allow("sts:AssumeRole", on=f"{IAM}role/dev")], trust=ROOT), One())
    assert told(made.find()) == {"role/dev": [f"{ONTO}assumed-role/dev/bob", f"{ONTO}role/admin"]}


def test_a_role_lets_in_its_own_session_which_no_boundary_limits() -> None:
    """A trust policy of its own names the session, not the role: that is worth more."""
    dev = One([allow("iam:UpdateAssumeRolePolicy", on=f"{IAM}role/admin")], boundary="bound")
    made = World(roles={"dev": dev, "admin": ADMIN}, policies={"bound": [allow("iam:UpdateAssumeRolePolicy")]})
    assert told(made.find()) == {"role/dev": ["iam:UpdateAssumeRolePolicy -> role/admin"]}


def test_a_resource_that_lets_in_a_session_is_used_in_it() -> None:
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    statement = {"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "lambda:UpdateFunctionCode", "Resource": function}
    registered = world.ResourceRecord(function, ACCOUNT, {}, attached(document(statement), "resource policy", function))
    made = chain(trust(Service="lambda.amazonaws.com"), One([allow("a:B")], trust=ROOT)).estate()
    looked: dict[str, world.Record] = {
        world.resources.key(ACCOUNT, function): registered,
        ACCOUNT: world.AccountRecord(ACCOUNT, "ACTIVE", registers=frozenset(("lambda",))),
    }
    estate = replace(made, resources=(registered,), lookup=lambda id_: looked.get(id_) or made.lookup(id_))
    assert told(find(estate))["user/ann"] == [f"{ONTO}assumed-role/dev/bob", "lambda:UpdateFunctionCode -> role/admin"]


def test_too_many_sessions_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = trust(AWS=[f"{STS}assumed-role/dev/s{number}" for number in range(sessions.MOST + 1)])
    found = chain(guard).find()
    assert found.left_out == (f"policies speak of more than {sessions.MOST} sessions of {IAM}role/dev",)
    assert told(found)["user/ann"] == [f"{ONTO}assumed-role/dev/s0", f"{ONTO}role/admin"]
    monkeypatch.setattr(sessions, "MOST_NAMED", 0)
    assert chain(trust(AWS=BOB)).find().left_out == (f"policies speak of more than 0 sessions of roles of {ACCOUNT}",)


OTHER = "444455556666"


def test_a_session_of_another_account() -> None:
    """The role that lets it in says so in its own account, where nobody else speaks of it."""
    dev = One([allow("sts:AssumeRole", on=f"arn:aws:iam::{OTHER}:role/admin")], trust=ROOT)
    lonely = World(users={"ann": ANN, "eve": One()}, roles={"dev": dev})
    guard = World(account=OTHER, roles={"admin": replace(ADMIN, trust=trust(AWS=BOB))})
    found = find_across(ACCOUNT, [lonely.estate(), guard.estate()])
    there = f"{ONTO}arn:aws:iam::{OTHER}:role/admin"
    assert told(found) == {"role/dev": [there], "user/ann": [f"{ONTO}assumed-role/dev/bob", there]}
    by = {path.source: [(hop.by, hop.presumes) for hop in path.hops] for path in found.paths}
    assert by == {f"{IAM}role/dev": [(BOB, "its session is named bob")], f"{IAM}user/ann": [(f"{IAM}user/ann", ""), (BOB, "")]}


def test_a_session_of_a_role_of_another_account_is_become() -> None:
    """Ann comes from another account, and names the session of the role that she assumes there."""
    ann = World(users={"ann": One([allow("sts:AssumeRole")])})
    dev = One([allow("sts:AssumeRole")], trust=trust(AWS=ACCOUNT))
    bob = f"arn:aws:sts::{OTHER}:assumed-role/dev/bob"
    guarded = World(account=OTHER, roles={"dev": dev, "admin": replace(ADMIN, trust=trust(AWS=bob))})
    found = find_across(ACCOUNT, [ann.estate(), guarded.estate()])
    assert told(found) == {"user/ann": [f"{ONTO}{bob}", f"{ONTO}arn:aws:iam::{OTHER}:role/admin"]}
    asked = replace(dev, trust=when(dev.trust, {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}))
    for name, expected in (("ann", 1), ("bob", 0)):
        let = replace(ADMIN, trust=trust(AWS=f"arn:aws:sts::{OTHER}:assumed-role/dev/{name}"))
        found = find_across(ACCOUNT, [ann.estate(), replace(guarded, roles={"dev": asked, "admin": let}).estate()])
        assert len(found.paths) == expected, name


@pytest.mark.parametrize("of_one", [True, False], ids=["of one role", "of every role"])
def test_how_many_names_policies_speak_of_has_a_bound(of_one: bool) -> None:
    """Each is compared with each role: of so many an account could make the analysis take all memory, and nobody could end it."""
    values = [f"{'role/dev' if of_one else '*'}:name-{number}" for number in range(sessions.MOST_SPOKEN + 1)]
    guard = when(ROOT, {"StringLike": {"aws:userid": values}})
    made = replace(chain(guard), users={"ann": ANN, **{f"user-{number}": One([allow("a:B")]) for number in range(5)}})
    proceeded = [0]

    def proceed() -> None:
        proceeded[0] += 1

    names = sessions.Names(made.estate(), proceed)
    roles = [one for one in made.estate().principals if one.kind == "role"]
    for role in roles:
        assert len(names.of(role)) <= sessions.MOST
    assert proceeded == [len(roles)]
    said = f"policies of an account speak of more than {sessions.MOST_SPOKEN} patterns of user ids"
    assert said in names.left_out
    assert said in made.find().left_out
    assert len(names._spoken(roles[0]).tests) <= sessions.MOST_SPOKEN


def test_what_one_account_speaks_of_leaves_out_nothing_of_another() -> None:
    flood = attached(
        document(allow("a:B", when={"StringLike": {"aws:userid": [f"!{number}*:x{number}" for number in range(900)]}})), "flood"
    )
    said = sessions.united(
        sessions.mentioned([one]) for one in (flood, attached(when(ROOT, {"StringLike": {"aws:userid": "Z*:bob"}}), "own"))
    )
    assert said.is_cut
    assert ("Z*", "bob") in said.ids
    assert len(said.ids) == sessions.MOST_SPOKEN + 1
