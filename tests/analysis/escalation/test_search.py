"""The search: the shortest paths, all of them, and only those; beyond one step, among many, and with an end."""

import random
from dataclasses import replace

import pytest

from sekisho import policy, world
from sekisho.analysis.escalation import Way, find, returning
from sekisho.analysis.escalation.actors import Actors
from sekisho.analysis.escalation.search import MOST_HOPS, MOST_STATES
from tests.analysis.escalation.worlds import ACCOUNT, EVERYTHING, IAM, NOW, STS, Document, One, World, allow, deny, told, trust

ADMIN = One([EVERYTHING])


def test_several_steps_are_a_path() -> None:
    roles = {
        "ops": One([allow("iam:PassRole"), allow("codebuild:*")], trust=trust(AWS=f"{IAM}root")),
        "build": One([EVERYTHING], trust=trust(Service="codebuild.amazonaws.com")),
    }
    world = World(
        users={"ann": One([allow("iam:CreateLoginProfile", on=f"{IAM}user/ben")]), "ben": One([allow("sts:AssumeRole")])},
        roles=roles,
    )
    held = "codebuild:StartBuild -> role/build"
    passed = "iam:PassRole + codebuild:CreateProject + codebuild:StartBuild -> role/build"
    assert told(world.find()) == {
        "role/ops": [passed],
        "user/ben": ["sts:AssumeRole -> role/ops", passed],
        "user/ann": ["iam:CreateLoginProfile -> user/ben", "sts:AssumeRole -> role/ops", passed],
    }
    some = One([allow("codebuild:Start*")], trust=trust(AWS=f"{IAM}root"))
    assert told(replace(world, roles=roles | {"ops": some}).find())["role/ops"] == [held]


@pytest.mark.parametrize("trusted", ["ann", "ben"])
def test_who_is_raised_is_become_by_those_alone_whom_it_trusts(trusted: str) -> None:
    """The same policy permits both to change the role; its trust policy names one of them."""
    changing = {"shared": [allow("iam:PutRolePolicy", on=f"{IAM}role/worker")]}
    users = {"ann": One(policies=["shared"]), "ben": One(policies=["shared"])}
    world = World(users=users, roles={"worker": One(trust=trust(AWS=f"{IAM}user/{trusted}"))}, policies=changing)
    assert told(world.find()) == {f"user/{trusted}": ["iam:PutRolePolicy + sts:AssumeRole -> role/worker"]}


GIVEN: dict[str, tuple[Document, One]] = {
    "iam:PutUserPolicy": (allow("iam:PutUserPolicy", on=f"{IAM}user/ann"), One()),
    "iam:AttachUserPolicy": (allow("iam:AttachUserPolicy", on=f"{IAM}user/*"), One()),
    "iam:CreatePolicyVersion": (allow("iam:CreatePolicyVersion"), One(policies=["mine"])),
    "iam:PutGroupPolicy": (allow("iam:PutGroupPolicy"), One(groups=["staff"])),
    "iam:AddUserToGroup": (allow("iam:AddUserToGroup", on=f"{IAM}group/admins"), One()),
    "iam:DeleteUserPermissionsBoundary": (allow("iam:DeleteUserPermissionsBoundary"), One([EVERYTHING], boundary="mine")),
    "iam:DetachUserPolicy": (allow("iam:DetachUserPolicy"), One([EVERYTHING], ["no"])),
}


@pytest.mark.parametrize("name", GIVEN)
def test_who_becomes_somebody_that_gives_it_permissions_has_a_path(name: str) -> None:
    """The role changes its users, and makes no administrator of itself; ann may assume it, and has her own key still."""
    said, ann = GIVEN[name]
    policies = {"mine": [allow("sts:AssumeRole")], "no": [deny("iam:*")], **({"all": [EVERYTHING]} if "Attach" in name else {})}
    groups: dict[str, tuple[list[Document], list[str]]] = {"staff": ([], []), "admins": ([EVERYTHING], [])}
    helper = One([said], trust=trust(AWS=f"{IAM}user/ann"))
    found = World(users={"ann": ann, "ben": One()}, roles={"helper": helper}, groups=groups, policies=policies).find()
    assert told(found) == {"user/ann": ["sts:AssumeRole -> role/helper", f"{name} -> user/ann"]}
    assert [hop.by for path in found.paths for hop in path.hops] == [f"{IAM}user/ann", f"{IAM}role/helper"]


def test_more_givers_than_are_looked_at_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning, "MOST", 1)
    roles = {
        f"helper-{name}": One([allow("iam:PutUserPolicy", on=f"{IAM}user/{name}")], trust=trust(AWS=f"{IAM}user/{name}"))
        for name in ("ann", "ben")
    }
    found = World(users={"ann": One(), "ben": One()}, roles=roles).find()
    assert list(told(found)) == ["user/ann"]
    assert found.left_out == (f"more than 1 sets of principals of {ACCOUNT} give others permissions",)


def test_nobody_else_has_what_is_given_to_one() -> None:
    """Ben may assume the role, which changes ann alone; who assumes that who changes it has the path, however far."""
    changing = One([allow("iam:PutUserPolicy", on=f"{IAM}user/ann")], trust=trust(AWS=[f"{IAM}role/way", f"{IAM}user/ben"]))
    way = One([allow("a:B")], trust=trust(AWS=f"{IAM}user/ann"))
    world = World(
        users={"ann": One(), "ben": One(), "eve": One([allow("iam:CreateAccessKey", on=f"{IAM}user/ann")])},
        roles={"changing": changing, "way": way},
    )
    ann = ["sts:AssumeRole -> role/way", "sts:AssumeRole -> role/changing", "iam:PutUserPolicy -> user/ann"]
    assert told(world.find()) == {"user/ann": ann, "user/eve": ["iam:CreateAccessKey -> user/ann", *ann]}


def test_what_one_makes_of_itself_is_followed() -> None:
    """Out of its boundary first, which its group permits; only then does its policy make it anything."""
    joined = World(
        users={"ann": One([allow("iam:AddUserToGroup", "iam:PutUserPolicy")], boundary="bound")},
        groups={"freed": ([allow("iam:DeleteUserPermissionsBoundary")], [])},
        policies={"bound": [allow("iam:AddUserToGroup", "iam:DeleteUserPermissionsBoundary")]},
    )
    assert told(joined.find()) == {
        "user/ann": [
            "iam:AddUserToGroup -> user/ann",
            "iam:DeleteUserPermissionsBoundary -> user/ann",
            "iam:PutUserPolicy -> user/ann",
        ]
    }


def test_what_two_give_takes_two_to_take_away() -> None:
    """A Deny that a group gives as well stays when its own is detached."""
    no = [{"Effect": "Deny", "NotAction": "iam:DetachUserPolicy", "Resource": "*"}]
    world = World(users={"ann": One([EVERYTHING], ["no"], ["staff"])}, groups={"staff": ([], ["no"])}, policies={"no": no})
    assert told(world.find()) == {}
    assert len(told(replace(world, users={"ann": One([EVERYTHING], ["no"])}).find())) == 1


def test_a_version_of_a_policy_that_also_bounds_changes_both() -> None:
    world = World(
        users={"ann": One(policies=["both"], boundary="both")}, policies={"both": [allow("iam:SetDefaultPolicyVersion"), allow("*")]}
    )
    weak = replace(world, policies={"both": [allow("iam:SetDefaultPolicyVersion")]}, older={"both": [[allow("a:B")]]})
    strong = replace(weak, older={"both": [[EVERYTHING]]})
    assert told(weak.find()) == {}
    assert told(strong.find()) == {"user/ann": ["iam:SetDefaultPolicyVersion -> user/ann"]}


def test_many_ways_to_change_oneself_are_left_out_and_said() -> None:
    groups: dict[str, tuple[list[Document], list[str]]] = {f"g{n}": ([allow(f"a:B{n}")], []) for n in range(MOST_STATES + 5)}
    found = World(users={"ann": One([allow("iam:AddUserToGroup")]), "admin": ADMIN}, groups=groups).find()
    assert told(found) == {}
    assert found.left_out == (f"{IAM}user/ann can change its own permissions in more than {MOST_STATES} ways",)


def test_a_chain_is_followed_so_far_and_no_farther() -> None:
    users = {f"u{n}": One([allow("iam:CreateAccessKey", on=f"{IAM}user/u{n + 1}")]) for n in range(40)} | {"u40": ADMIN}
    found = World(users=users).find()
    assert [len(path.hops) for path in found.paths] == list(range(1, MOST_HOPS + 1))
    assert found.left_out == (f"there are paths of more than {MOST_HOPS} steps",)
    exact = World(users=dict(list(users.items())[40 - MOST_HOPS :])).find()
    assert (len(exact.paths), exact.left_out) == (MOST_HOPS, ())


def test_a_goal_need_not_be_an_administrator() -> None:
    world = World(users={"ann": One([allow("a:B")]), "ben": One([allow("iam:CreateAccessKey", on=f"{IAM}user/ann")])})
    assert told(world.find(goal=f"{IAM}user/ann")) == {"user/ben": ["iam:CreateAccessKey -> user/ann"]}
    assert told(world.find()) == {}
    with pytest.raises(ValueError, match="no user or role"):
        world.find(goal=f"{IAM}user/nobody")


def test_supposed_keys_win_over_those_of_the_principal() -> None:
    when = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    world = World(users={"ann": One([allow("iam:CreateAccessKey", when=when)]), "admin": ADMIN})
    assert told(world.find()) == {}
    assert told(world.find(supposed={"aws:multifactorauthpresent": "true"})) == {}
    supposed = {"aws:multifactorauthpresent": "true", "aws:sourceip": "192.0.2.7"}
    assert list(told(world.find(supposed=supposed))) == ["user/ann"]


def test_it_ends_when_it_is_told_to() -> None:
    calls = 0

    def proceed() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise TimeoutError

    users = {f"u{n}": One([allow("iam:CreateAccessKey", on=f"{IAM}user/u{n + 1}")]) for n in range(200)}
    with pytest.raises(TimeoutError):
        World(users=users | {"admin": ADMIN}).find(proceed=proceed)


def test_nobody_is_an_administrator_where_an_organization_permits_nothing() -> None:
    world = World(users={"ann": One([EVERYTHING]), "ben": One([allow("iam:CreateAccessKey")])}, scps=[deny("*")])
    found = world.find()
    assert (found.administrators, found.paths) == ((), ())


SPARING: dict[str, tuple[Document, str, str]] = {
    "a role": ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/boss"}}, f"{IAM}role/boss", "role/boss"),
    "a session": ({"StringNotLike": {"aws:userid": "*:glass"}}, f"{STS}assumed-role/boss/glass", "assumed-role/boss/glass"),
}


@pytest.mark.parametrize("name", SPARING)
def test_what_an_organization_permits_one_alone_an_administrator_is_permitted(name: str) -> None:
    """An SCP that leaves IAM to one role, or to one session, denies it to all others, and so they are no administrators."""
    when, administrator, becomes = SPARING[name]
    boss = One([EVERYTHING], trust=trust(AWS=f"{IAM}root"))
    world = World(users={"ann": One([EVERYTHING])}, roles={"boss": boss}, scps=[EVERYTHING, deny("iam:*", when=when)])
    found = world.find()
    assert found.administrators == (administrator,)
    assert told(found)["user/ann"] == [f"sts:AssumeRole -> {becomes}"]


def test_who_is_alike_is_asked_once() -> None:
    users = {f"u{n}": One(policies=["shared"]) for n in range(300)}
    world = World(users=users | {"admin": ADMIN}, policies={"shared": [allow("iam:CreateAccessKey", on=f"{IAM}user/admin")]})
    found = world.find()
    assert len(found.paths) == 300
    assert found.decisions < 60
    own = {"shared": [allow("iam:CreateAccessKey", on=f"{IAM}user/admin", when={"StringNotEquals": {"aws:username": "u7"}})]}
    assert len(replace(world, policies=own).find().paths) == 299


def random_world(chance: random.Random) -> World:
    """Few statements on few things, for users, roles, groups and policies."""
    names = ("a", "b", "c", "d")
    things = [f"{IAM}{kind}/{name}" for kind in ("user", "role", "group", "policy") for name in names] + [
        "*",
        f"{IAM}user/${{aws:username}}",
    ]
    actions = (
        "iam:CreateAccessKey", "iam:PutUserPolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole",
        "iam:AddUserToGroup", "iam:CreatePolicyVersion", "iam:PutGroupPolicy", "iam:PassRole", "lambda:*", "iam:DeleteUserPolicy",
        "iam:CreateLoginProfile",
    )  # fmt: skip

    def statements() -> list[Document]:
        if chance.random() < 0.12:
            return [EVERYTHING]
        made = []
        for _ in range(chance.randint(0, 2)):
            when = {"StringEquals": {"aws:PrincipalTag/team": "x"}} if chance.random() < 0.15 else None
            make = deny if chance.random() < 0.15 else allow
            made.append(make(*chance.sample(actions, chance.randint(1, 3)), on=chance.sample(things, 2), when=when))
        return made

    def some(many: int) -> list[str]:
        return chance.sample(names, chance.randint(0, many))

    def one() -> One:
        trusted = chance.choice(
            (trust(AWS=f"{IAM}root"), trust(AWS="*"), trust(Service="lambda.amazonaws.com"), trust(AWS=f"{IAM}user/{chance.choice(names)}"))
        )
        bound = chance.choice(names) if chance.random() < 0.2 else None
        tags = {"team": "x"} if chance.random() < 0.3 else {}
        return One(statements(), some(1), some(1), bound, trusted, tags, keys=chance.randint(0, 2), password=chance.random() < 0.5)

    return World(
        users={name: one() for name in names},
        roles={name: replace(one(), groups=()) for name in names},
        groups={name: (statements(), some(1)) for name in names},
        policies={name: statements() or [allow("a:B")] for name in names},
    )


@pytest.mark.parametrize("seed", range(150))
def test_every_grant_is_the_evaluators_and_alike_means_nothing(seed: int) -> None:
    """Each grant of a first hop is decided again by itself; and whoever is asked alone has the path that it has among others."""
    chance = random.Random(seed)
    made = random_world(chance)
    estate = made.estate()
    found = find(estate)
    actors = {actor.record.arn: actor for actor in Actors(estate).all()}
    for path in found.paths:
        hop, who = path.hops[0], actors[path.source]
        for grant in hop.grants:
            if not grant.action.startswith(("iam:Create", "iam:Put", "iam:Add", "iam:Update", "iam:Delete")):
                continue
            thing = next((one.record for one in actors.values() if one.record.arn == grant.resource), None)
            asked = world.Asked(grant.action, grant.resource, ACCOUNT, ACCOUNT, tags=thing.tags if thing is not None else {})
            decision = policy.decide(*world.question(who.who, asked, estate.lookup, NOW))
            assert decision.allowed, (path.source, grant)
            assert [(match.statement.index, match.attached.name) for match in decision.matched] == [
                (one.place, one.policy_name) for one in grant.statements
            ]
    assert found == find(estate)
    lengths = {path.source: len(path.hops) for path in found.paths}
    for path in found.paths:  # nothing shorter: the end of a path has one that is shorter by one, or is an administrator
        if any(hop.rule.way is Way.OWN and hop.by != hop.becomes for hop in path.hops):
            continue  # given back by who has no path itself
        last = path.hops[0].becomes
        assert len(path.hops) == 1 or last == path.source or lengths.get(last, 0) == len(path.hops) - 1
