"""A plan allows what `policy.decide` allows, resource by resource: seeded worlds. `make campaign` has many more."""

import os
from collections import Counter

import pytest

from sekisho.policy import residual
from tests.policy.residual import worlds

SEEDS = int(os.environ.get("PLANS", "200"))
"""Of four questions each, about 40 resources."""
PART = 200
UNSAID = ("compares it with another tag", "cannot be said of the tag", "are made of tags", "a tag of the resource beside a wildcard")
"""What of these worlds no plan says; everything else has to be said."""


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_a_plan_allows_what_is_decided_so(first: int) -> None:
    kinds: Counter[str] = Counter()
    unsaid: list[str] = []
    for seed in range(first, first + PART):
        resources = worlds.resources(seed)
        for number, question in enumerate(worlds.questions(seed, 4)):
            try:
                plan = question.plan()
            except residual.Inexpressible as error:
                kinds["refused"] += 1
                unsaid.append(error.reason)
                continue
            kinds[plan.kind.value] += 1
            for one in resources:
                assert residual.allows(plan, one.arn, one.tags) is question.allowed(one), (seed, number, one, plan)
    assert all(kinds[kind.value] >= 60 for kind in residual.Kind), kinds
    assert kinds["refused"] < kinds.total() / 10, kinds
    assert [reason for reason in unsaid if not any(known in reason for known in UNSAID)] == []
