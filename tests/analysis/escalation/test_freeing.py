"""Freeing an account of control policies, against brute force: every order of calls that somebody is permitted, in small organizations."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from sekisho import world
from sekisho.analysis.escalation import Estate, Found, Realm, across, find_across, freeing
from sekisho.world import RCP, SCP
from tests.analysis.escalation.worlds import EVERYTHING, One, World, allow, attached, deny, document, trust

MANAGEMENT, MEMBER = "111122223333", "444455556666"
ROOT, UNIT, OTHER = "r-1", "ou-1", "ou-2"
BOSS = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/boss"}}
FULL = "p-full"
POLICIES = {
    "p-deny": document(deny("iam:*", when=BOSS)),
    "p-again": document(deny("iam:Create*", "iam:Put*", when=BOSS)),
    "p-else": document(deny("s3:*")),
    "p-nobody": document(deny("iam:CreateAccessKey")),
    "p-mixed": document(EVERYTHING, deny("iam:*", when=BOSS)),
    "p-list": document(allow("iam:*", "sts:*"), deny("iam:PassRole", when=BOSS)),
    "p-open": document(allow("*")),
}
CLOSED = {
    "rp-closed": document(deny("sts:AssumeRole") | {"Principal": "*"}),
    "rp-else": document(deny("s3:*") | {"Principal": "*"}),
}
TYPES = {**dict.fromkeys(POLICIES, SCP), **dict.fromkeys(CLOSED, RCP)}
USERS = ("ann", "ben")
STAYS = One([EVERYTHING, deny("organizations:LeaveOrganization")], trust=trust(AWS=MANAGEMENT))

Call = tuple[str, tuple[str, ...]]
"""An operation of Organizations, and on what: ids, and the type of policies that is disabled."""


@dataclass(frozen=True)
class State:
    """What is attached where, which types are in force, what was written anew, and where the member hangs."""

    attached: Mapping[str, tuple[str, ...]]
    types: frozenset[str] = frozenset((SCP, RCP))
    rewritten: frozenset[str] = frozenset()
    unit: str | None = UNIT

    @property
    def key(self) -> object:
        return tuple(sorted(self.attached.items())), self.types, self.rewritten, self.unit

    def records(self) -> dict[str, world.Record]:
        def ids(id_: str, kind: str) -> tuple[str, ...]:
            return tuple(one for one in self.attached[id_] if (one in CLOSED) is (kind == RCP))

        found: dict[str, world.Record] = {FULL: world.ControlPolicyRecord(FULL, attached(document(EVERYTHING), FULL))}
        for id_, text in {**POLICIES, **CLOSED}.items():
            written = document(EVERYTHING) if id_ in POLICIES else document(deny("sts:AssumeNobody") | {"Principal": "*"})
            found[id_] = world.ControlPolicyRecord(id_, attached(written if id_ in self.rewritten else text, id_))
        for unit in (UNIT, OTHER):
            found[unit] = world.UnitRecord(unit, "o-1", ROOT, ids(unit, SCP), ids(unit, RCP))
        found[ROOT] = world.UnitRecord(ROOT, "o-1", None, ids(ROOT, SCP), ids(ROOT, RCP), MANAGEMENT, self.types)
        found[MANAGEMENT] = world.AccountRecord(MANAGEMENT, "ACTIVE", unit_id=ROOT, scp_ids=(FULL,))
        found[MEMBER] = world.AccountRecord(MEMBER, "ACTIVE", self.unit, ids(MEMBER, SCP), ids(MEMBER, RCP))
        if self.unit is None:
            found[MEMBER] = world.AccountRecord(MEMBER, "ACTIVE")
        return found

    def after(self, call: Call) -> "State | None":
        """None where the call is refused, whoever makes it."""
        name, (first, *rest) = call
        if name == "DetachPolicy":
            there = self.attached[rest[0]]
            scps = [one for one in there if one not in CLOSED]
            if first not in there or (first in scps and len(scps) == 1):
                return None
            return replace(self, attached={**self.attached, rest[0]: tuple(one for one in there if one != first)})
        if name == "UpdatePolicy":
            return replace(self, rewritten=self.rewritten | {first})
        if name == "DisablePolicyType":
            return replace(self, types=self.types - {rest[0]}) if rest[0] in self.types else None
        if name == "MoveAccount":
            return replace(self, unit=rest[1])
        return replace(self, unit=None)


@dataclass(frozen=True)
class Small:
    """An organization: its state, and the calls that each of two users of the management account is meant to be permitted."""

    state: State
    meant: Mapping[str, frozenset[Call]]

    def permitted(self, name: str) -> frozenset[Call]:
        """The calls that a user is permitted: who is permitted it on several things is permitted it crosswise, too."""
        meant = self.meant[name]
        things = {(call[0], thing) for call in meant for thing in _things(call)}
        crossed = {("DetachPolicy", (one, id_)) for id_, some in self.state.attached.items() for one in some if one != FULL}
        return meant | {call for call in crossed if all((call[0], thing) in things for thing in _things(call))}

    def estates(self, state: State) -> list[Estate]:
        assuming = allow("sts:AssumeRole")
        users = {name: One([*map(_statement, sorted(self.meant[name])), assuming]) for name in USERS}
        own = World(users=users, account=MANAGEMENT).estate()
        member = World(users={"eve": One([allow("iam:PutUserPolicy")])}, roles={"boss": STAYS}, account=MEMBER).estate()
        return [replace(one, lookup=_lookup(one, state.records())) for one in (own, member)]

    def realm(self) -> Realm:
        return Realm("o-1", MANAGEMENT, (ROOT, UNIT, OTHER), TYPES, {}, self.state.records().get)

    def reachable(self, name: str) -> Iterator[State]:
        """The states that a user can bring about, by calls one after the other; a member that is moved or removed is all that changed."""
        seen, queue = {self.state.key}, [self.state]
        for state in queue:
            yield state
            for call in sorted(self.permitted(name)):
                alone = call[0] in ("MoveAccount", "RemoveAccountFromOrganization")
                after = state.after(call) if not alone or state is self.state else None
                if after is not None and state.unit == UNIT and after.key not in seen:
                    seen.add(after.key)
                    queue.append(after)


def _lookup(estate: Estate, records: Mapping[str, world.Record]) -> world.Lookup:
    return lambda id_: records.get(id_) or estate.lookup(id_)


def _things(call: Call) -> list[str]:
    name, (first, *rest) = call
    arn = f"arn:aws:organizations::{MANAGEMENT}"

    def target(id_: str) -> str:
        return f"{arn}:{'root' if id_ == ROOT else 'ou' if id_.startswith('ou') else 'account'}/o-1/{id_}"

    if name in ("DetachPolicy", "UpdatePolicy"):
        return [f"{arn}:policy/o-1/{TYPES[first].lower()}/{first}", *map(target, rest)]
    return [target(one) for one in (first, *rest) if one not in (SCP, RCP)]


def _statement(call: Call) -> dict[str, object]:
    when = {"StringEquals": {"organizations:PolicyType": call[1][1]}} if call[0] == "DisablePolicyType" else None
    return allow(f"organizations:{call[0]}", on=_things(call), when=when)


def small(chance: random.Random) -> Small:
    held = {id_: [FULL] if chance.random() < 0.7 else [] for id_ in (ROOT, UNIT, OTHER, MEMBER)}
    for id_, there in held.items():
        there += chance.sample(list(POLICIES), chance.randint(0 if there else 1, 2 if id_ != OTHER else 1))
        if id_ != OTHER and chance.random() < 0.4:
            there.append(chance.choice(list(CLOSED)))
    state = State({id_: tuple(there) for id_, there in held.items()})
    calls: list[Call] = [("DetachPolicy", (one, id_)) for id_ in (ROOT, UNIT, MEMBER) for one in held[id_] if one != FULL]
    calls += [("UpdatePolicy", (one,)) for one in sorted({one for _, (one, *_rest) in calls})]
    calls += [("DisablePolicyType", (ROOT, SCP)), ("DisablePolicyType", (ROOT, RCP))]
    calls += [("MoveAccount", (MEMBER, UNIT, OTHER)), ("RemoveAccountFromOrganization", (MEMBER,))]
    likely = {"DetachPolicy": 0.6, "UpdatePolicy": 0.25}
    return Small(state, {name: frozenset(one for one in calls if chance.random() < likely.get(one[0], 0.05)) for name in USERS})


def sources(found: Found) -> dict[str, int]:
    """The users of the management account with a path into the member, and how long each is."""
    prefix = f"arn:aws:iam::{MANAGEMENT}:user/"
    return {one.source.removeprefix(prefix): len(one.hops) for one in found.paths if one.source.startswith(prefix)}


@pytest.mark.parametrize("seed", range(40))
def test_no_set_of_steps_is_missed_and_none_is_made_up(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has a path exactly where some state that it can bring about lets it in."""
    monkeypatch.setattr(freeing, "MOST", 100)
    made = small(random.Random(seed))
    let_in: dict[object, set[str]] = {}

    def are_let_in(state: State) -> set[str]:
        if state.key not in let_in:
            let_in[state.key] = set(sources(find_across(MANAGEMENT, made.estates(state))))
        return let_in[state.key]

    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    expected = {name for name in USERS if any(name in are_let_in(state) for state in made.reachable(name))}
    assert set(sources(found)) == expected
    assert found.left_out == ()
    for path in found.paths:
        name = path.source.rpartition("/")[2]
        freed = made.state
        for hop in path.hops:
            for call in _told(hop.rule.name, hop.change):
                assert call in made.permitted(name)
                after = freed.after(call)
                assert after is not None, (call, hop)
                freed = after
        assert name in are_let_in(freed) or not path.source.startswith(f"arn:aws:iam::{MANAGEMENT}:user/")


def _told(method: str, change: str) -> Iterator[Call]:
    """The calls of a hop that frees."""
    name = method.removeprefix("organizations:")
    for said in change.split(" and ") if method.startswith("organizations:") else ():
        words = said.split()
        if name == "DetachPolicy":
            yield name, (words[2], words[4])
        elif name == "MoveAccount":
            yield name, (MEMBER, UNIT, words[4])
        elif name == "DisablePolicyType":
            yield name, (ROOT, words[2])
        else:
            yield name, (words[2],)


def organization(**held: tuple[str, ...]) -> Small:
    """Everything is open but for what is held; ann may take it off, but for what she is not permitted by the test."""
    there = {id_: (FULL, *held.get(name, ())) for name, id_ in (("root", ROOT), ("unit", UNIT), ("other", OTHER), ("member", MEMBER))}
    state = State(there)
    calls = frozenset(("DetachPolicy", (one, id_)) for id_, some in there.items() for one in some if one != FULL)
    return Small(state, {"ann": calls, "ben": frozenset()})


def test_two_of_three_are_taken_off_by_who_is_permitted_those() -> None:
    """The third holds nothing back, and ann is not permitted to take it off."""
    made = organization(unit=("p-deny", "p-else"), member=("p-again",))
    ann = made.meant["ann"] - {("DetachPolicy", ("p-else", UNIT))}
    made = replace(made, meant={"ann": ann, "ben": frozenset(list(ann)[:1])})
    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    assert sources(found) == {"ann": 2}
    (path,) = found.paths
    assert path.hops[0].change == f"has taken p-again off {MEMBER} and has taken p-deny off {UNIT}"


def test_what_one_step_does_is_told_with_one_step() -> None:
    made = organization(unit=("p-else", "p-deny"), member=("p-else",))
    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    assert [hop.change for path in found.paths for hop in path.hops] == [f"has taken p-deny off {UNIT}", ""]


def test_two_methods_of_one_user_are_two_hops() -> None:
    made = organization(unit=("p-deny",), member=("p-again",))
    ann = frozenset((("DetachPolicy", ("p-deny", UNIT)), ("UpdatePolicy", ("p-again",))))
    made = replace(made, meant={"ann": ann, "ben": frozenset()})
    (path,) = find_across(MANAGEMENT, made.estates(made.state), made.realm()).paths
    assert [(hop.rule.name, hop.change) for hop in path.hops] == [
        ("organizations:UpdatePolicy", "has rewritten p-again"),
        ("organizations:DetachPolicy", f"has taken p-deny off {UNIT}"),
        ("sts:AssumeRole", ""),
    ]


def test_many_harmless_policies_leave_nothing_out() -> None:
    """All that ann is permitted, done together, settles what each part of it does."""
    made = organization(root=("p-else",), unit=("p-deny", "p-again", "p-else", "p-nobody"), member=("p-deny", "p-again", "p-else"))
    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    assert (sources(found), found.left_out) == ({"ann": 2}, ())


def test_a_policy_that_alone_allows_something_is_not_taken_off() -> None:
    """Without the list nothing is allowed; the Deny beside it can go."""
    state = State({ROOT: (FULL,), OTHER: (FULL,), UNIT: ("p-mixed", "p-deny"), MEMBER: (FULL, "p-mixed")})
    calls = frozenset(("DetachPolicy", one) for one in (("p-deny", UNIT), ("p-mixed", UNIT), ("p-mixed", MEMBER)))
    made = Small(state, {"ann": calls | {("UpdatePolicy", ("p-mixed",))}, "ben": calls})
    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    assert sources(found) == {"ann": 3}


def test_of_more_policies_that_allow_something_not_each_combination_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeing, "MOST_MIXED", 1)
    state = State({ROOT: (FULL,), OTHER: (FULL,), UNIT: ("p-mixed", "p-list"), MEMBER: ("p-mixed", "p-list")})
    calls: frozenset[Call] = frozenset(("DetachPolicy", (one, id_)) for one in ("p-mixed", "p-list") for id_ in (UNIT, MEMBER))
    made = Small(state, {"ann": calls, "ben": frozenset()})
    found = find_across(MANAGEMENT, made.estates(made.state), made.realm())
    assert found.left_out == (f"more than 1 policies can be taken off {MEMBER} that allow something, too",)


def test_one_account_does_not_take_what_others_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is looked at again each account has a share by its size; who has too little is named."""
    made = organization(unit=("p-deny", "p-else", "p-nobody"))
    own, member = made.estates(made.state)
    records = made.state.records()
    others = []
    for number in range(3):
        account = f"{number}00000000000"
        held = world.AccountRecord(account, "ACTIVE", UNIT, (FULL,))
        estate = World(roles={"boss": STAYS}, users={f"u{one}": One() for one in range(9)}, account=account).estate()
        others.append(replace(estate, lookup=_lookup(estate, {**records, account: held})))
    reached = {f"{number}00000000000" for number in range(3)} | {MEMBER}
    monkeypatch.setattr(across, "MOST_FREED", 32)  # as many as there are users and roles in bound accounts
    found = find_across(MANAGEMENT, [*others, member, own], made.realm())
    assert {path.hops[-1].becomes.split(":")[4] for path in found.paths} == reached
    monkeypatch.setattr(across, "MOST_FREED", 31)
    found = find_across(MANAGEMENT, [*others, member, own], made.realm())
    assert found.left_out == ("control policies can be taken off 000000000000 in more ways than one analysis follows",)
