"""What must hold of any decision, whatever the policies: laws over seeded worlds, the seeds drawn by Hypothesis."""

import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import policy
from tests.policy import bridge, gen_rewrite, gen_shrink, generator

Case = dict[str, Any]
RANK = {"ExplicitlyDenied": 0, "ImplicitlyDenied": 1, "Allowed": 2}
SEEDS = st.integers(0, 2**40)
CASES = 20  # of each world
laws = settings(max_examples=int(os.environ.get("LAWS", "15")), deadline=None, database=None)  # `make campaign` has more


def outcome(case: Case) -> str:
    """The evaluator's outcome; an error fails the law."""
    reply = bridge.reply(case)
    assert reply.error == ""
    return reply.outcome


def rank(case: Case) -> int:
    """How much the outcome allows."""
    return RANK[outcome(case)]


def cases(seed: int) -> Iterator[Case]:
    """The cases of a world, without the one action on which no policy has a say."""
    for case in generator.world(seed, CASES).cases:
        if case["request"]["action"].lower() != "sts:getcalleridentity":
            yield case


def same(case: Case, changed: Case) -> None:
    """The change is neutral."""
    assert outcome(changed) == outcome(case), json.dumps([case, changed])


@laws
@given(SEEDS)
def test_adding_a_deny_never_raises(seed: int) -> None:
    """In any layer that is there."""
    rng = Random(seed)
    for case in cases(seed):
        present = ["resource_policy", *(layer for layer in (*gen_rewrite.FLAT, *gen_rewrite.LEVELS) if case.get(layer))]
        layer = rng.choice(present)
        deny = gen_rewrite.random_statement(rng, case, "Deny", principal=layer in ("resource_policy", "rcps"))
        assert rank(gen_rewrite.with_statement(case, layer, deny)) <= rank(case)


@laws
@given(SEEDS)
def test_adding_an_allow_to_an_identity_policy_never_lowers(seed: int) -> None:
    """An Allow only adds."""
    rng = Random(seed)
    for case in cases(seed):
        allow = gen_rewrite.random_statement(rng, case, "Allow", principal=False)
        assert rank(gen_rewrite.with_statement(case, "identity_policies", allow)) >= rank(case)


@laws
@given(SEEDS)
def test_removing_a_deny_only_scp_never_lowers(seed: int) -> None:
    """The Allows of the level stay."""
    rng = Random(seed)
    for case in cases(seed):
        if case["scps"]:
            deny = gen_rewrite.random_statement(rng, case, "Deny", principal=False)
            assert rank(case) >= rank(gen_rewrite.with_statement(case, "scps", deny))


@laws
@given(SEEDS)
def test_adding_a_boundary_never_raises(seed: int) -> None:
    """A boundary limits."""
    rng = Random(seed)
    for case in cases(seed):
        if case["permission_boundary"] is None:
            assert rank({**case, "permission_boundary": [generator.scene(rng).limit()]}) <= rank(case)


@laws
@given(SEEDS)
def test_adding_a_session_policy_never_raises(seed: int) -> None:
    """A session policy limits; only a federated user's gives it what its user has."""
    rng = Random(seed)
    for case in cases(seed):
        if case["session_policies"] is None and case["request"]["principal_type"] != "federated-user":
            assert rank({**case, "session_policies": [generator.scene(rng).limit()]}) <= rank(case)


@laws
@given(SEEDS)
def test_permutation_is_neutral(seed: int) -> None:
    """Neither statements nor documents have an order."""
    for case in cases(seed):
        same(case, gen_rewrite.shuffled(case, Random(seed)))


@laws
@given(SEEDS)
def test_duplication_is_neutral(seed: int) -> None:
    """Twice said is once said."""
    for case in cases(seed):
        same(case, gen_rewrite.duplicated(case))


@laws
@given(SEEDS)
def test_splitting_is_neutral(seed: int) -> None:
    """One document of three statements is three documents of one."""
    for case in cases(seed):
        same(case, gen_rewrite.split(case))


@laws
@given(SEEDS)
def test_merging_is_neutral(seed: int) -> None:
    """Three documents of one statement are one document of three."""
    for case in cases(seed):
        same(case, gen_rewrite.merged(case))


@laws
@given(SEEDS)
def test_a_scalar_is_a_list_of_one(seed: int) -> None:
    """In every element that takes both."""
    for case in cases(seed):
        same(case, gen_rewrite.spelled(case, lists=True))
        same(case, gen_rewrite.spelled(case, lists=False))


@laws
@given(SEEDS)
def test_renaming_accounts_is_neutral(seed: int) -> None:
    """No account number means anything."""
    for case in cases(seed):
        changed = gen_rewrite.renamed(case)
        if changed is not None:
            same(case, changed)


@laws
@given(SEEDS)
def test_unrelated_principals_are_neutral(seed: int) -> None:
    """To name somebody else changes nothing for the caller."""
    for case in cases(seed):
        same(case, gen_rewrite.with_strangers(case))


@laws
@given(SEEDS, st.sampled_from([None, 2]))
def test_json_round_trip_is_neutral(seed: int, indent: int | None) -> None:
    """A document as text, in any spacing, is the document."""
    for case in cases(seed):
        for holder, key in gen_shrink.documents(case):
            text = json.dumps(holder[key], indent=indent, ensure_ascii=False)
            parsed, decoded = policy.parse(text), policy.from_json(holder[key])
            assert parsed.version == decoded.version
            assert [unlined(one) for one in parsed.statements] == [unlined(one) for one in decoded.statements]


def unlined(statement: policy.Statement) -> tuple[Any, ...]:
    """A statement without its line."""
    return tuple(getattr(statement, name) for name in statement.__slots__ if name != "line")


@laws
@given(SEEDS)
def test_exactly_one_of_action_and_not_action_matches(seed: int) -> None:
    """On any request, of the same patterns."""
    rng = Random(seed)
    made = generator.scene(rng)
    for case in cases(seed):
        patterns = [made.action_pattern() for _ in range(rng.choice((1, 2, 3)))]
        alone = {**case, "request": {**case["request"], "resource_account": "111122223333"}}
        alone |= {"identity_policies": [], "resource_policy": None, "permission_boundary": None, "session_policies": None}
        alone |= {"scps": None, "rcps": None}
        alone["request"] |= {"principal": "arn:aws:iam::111122223333:user/alice", "principal_type": "user", "resource": "*"}
        if alone["request"]["action"].lower().startswith("sts:"):
            continue  # a role's trust is not the identity's to give
        granted = [
            outcome(gen_rewrite.with_statement(alone, "identity_policies", {"Effect": "Allow", element: patterns, "Resource": "*"}))
            for element in ("Action", "NotAction")
        ]
        assert sorted(granted) == ["Allowed", "ImplicitlyDenied"], (patterns, alone["request"]["action"])
