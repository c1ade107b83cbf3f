"""The reasons of a decision are its reasons, and every way of deciding gives the same one."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import policy
from tests.policy import bridge, gen_rewrite, gen_shrink, generator
from tests.policy.oracle_conditions import as_list
from tests.policy.test_algebra import RANK, SEEDS, cases, laws

Case = dict[str, Any]
GRANTING = ("resource", "identity")


@laws
@given(SEEDS)
def test_matched_statements_re_derive_the_decision(seed: int) -> None:
    """Of the layers that grant, the matched statements alone decide the same; of a denial, the Denies alone."""
    for case in cases(seed):
        reply = bridge.reply(case)
        kept = gen_rewrite.keeping(case, lambda place, found=reply.determining: place in found)  # type: ignore[misc]
        if reply.outcome == "ExplicitlyDenied":
            assert reply.determining
            assert bridge.reply(kept).outcome == "ExplicitlyDenied"
        elif reply.outcome == "Allowed":
            granted = gen_rewrite.keeping(
                case,
                lambda place, found=reply.determining: place in found or place[0] not in GRANTING,  # type: ignore[misc]
            )
            assert bridge.reply(granted).outcome == "Allowed", json.dumps(case)


@laws
@given(SEEDS)
def test_deleting_the_matched_denies_ends_the_explicit_deny(seed: int) -> None:
    """The matched Denies are all that there are."""
    for case in cases(seed):
        reply = bridge.reply(case)
        if reply.outcome == "ExplicitlyDenied":
            assert bridge.reply(gen_rewrite.without(case, set(reply.determining))).outcome != "ExplicitlyDenied"


@laws
@given(SEEDS)
def test_deleting_the_matched_allows_yields_a_deny(seed: int) -> None:
    """Each time that it is still allowed other statements are named, and when none is left it is denied."""
    for case in cases(seed):
        left, reply = case, bridge.reply(case)
        while reply.outcome == "Allowed":
            assert reply.determining
            left = gen_rewrite.without(left, set(reply.determining))
            reply = bridge.reply(left)
        assert RANK[reply.outcome] < RANK["Allowed"]


@laws
@given(SEEDS)
def test_indexed_is_linear(seed: int) -> None:
    """The index leaves out no statement and adds none, over worlds and over one document of all their statements."""
    indexed, linear = bridge.Programs(), bridge.Programs(indexed=False)
    world = list(cases(seed))
    for case in [*world, *(together(world, case) for case in world)]:
        one, other = bridge.reply(case, indexed), bridge.reply(case, linear)
        assert (one.outcome, one.error) == (other.outcome, other.error)
        if one.outcome != "Allowed":  # of several Allows each names the one that it met first
            assert one.determining == other.determining


def together(world: list[Case], case: Case) -> Case:
    """The case under one identity policy that has every identity statement of the world, and whatever else it had."""
    every = [one for other in world for doc in other["identity_policies"] for one in as_list(doc["Statement"])]
    unique = list({id(one): one for one in every}.values())
    return {**case, "identity_policies": [{"Version": "2012-10-17", "Statement": unique}] if unique else []}


@laws
@given(SEEDS)
def test_batch_is_one_by_one(seed: int) -> None:
    """What programs remember of earlier requests changes nothing, in either order, and neither does the cache by text."""
    world = list(cases(seed))
    alone = [bridge.reply(case) for case in world]
    shared = bridge.Programs()
    assert [bridge.reply(case, shared) for case in world] == alone
    assert [bridge.reply(case, shared) for case in reversed(world)] == alone[::-1]
    assert [bridge.reply(case, Cached()) for case in world] == alone


class Cached(bridge.Programs):
    """Programs by the text of their documents, as the service compiles them."""

    def attach(self, document: Any, index: int = 0) -> policy.Attached:
        """The document compiled from its text."""
        return policy.Attached(program=policy.compiled(json.dumps(document)), name=str(index))


@settings(max_examples=20, deadline=None, database=None)
@given(SEEDS, st.integers(1, 9))
def test_a_decision_does_not_depend_on_its_neighbours(seed: int, step: int) -> None:
    """Deciding a case between the cases of another world, with the same programs, is deciding it alone."""
    shared = bridge.Programs()
    other = generator.world(seed + step, 10).cases
    for case, between in zip(generator.world(seed, 10).cases, other, strict=True):
        bridge.reply(between, shared)
        assert bridge.reply(case, shared) == bridge.reply(gen_shrink.plain(case))
