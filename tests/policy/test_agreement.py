"""The evaluator and the oracle agree, over 12,500 cases from seeds: on the outcome and on the statements that matched.

`make campaign` asks ten million, and takes 20,000 worlds here.
"""

import os

import pytest

from tests.policy import bridge, campaign, gen_isolate, generator, oracle

WORLDS = int(os.environ.get("WORLDS", "250"))  # of 50 cases each
CHUNK = 125


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_agreement(first: int) -> None:
    """No disagreement in a range of seeds."""
    reports = campaign.run(first, CHUNK)
    assert not reports, "\n\n".join(reports)


@pytest.mark.parametrize("first", range(0, WORLDS // 5, 50))
def test_every_match_agrees(first: int) -> None:
    """The evaluator, asked about each statement alone, matches those that the oracle matches, deciding or not."""
    for seed in range(first, first + 50):
        programs = bridge.Programs()
        for index, case in enumerate(generator.world(seed).cases):
            action, kind = case["request"]["action"].lower(), case["request"]["principal_type"]
            if action != "sts:getcalleridentity" and (action, kind) != ("sts:assumerole", "root"):  # on which statements have no say
                assert gen_isolate.matched(case, programs) == oracle.decide(case).matched, (seed, index, case)


def test_worlds_are_repeatable() -> None:
    """A seed alone says what the world is."""
    assert generator.world(7) == generator.world(7)
    assert generator.world(7) != generator.world(8)


def test_worlds_are_worth_deciding() -> None:
    """Every outcome, layer and kind of caller comes up often, and most statements that match are not decisive alone."""
    outcomes: dict[str, int] = {}
    layers: dict[str, int] = {}
    allowed: dict[str, int] = {}
    for seed in range(200):
        for case in generator.world(seed).cases:
            answer = oracle.decide(case)
            outcomes[answer.outcome] = outcomes.get(answer.outcome, 0) + 1
            for layer in {place[0] for place in answer.matched}:
                layers[layer] = layers.get(layer, 0) + 1
            if answer.outcome == "Allowed":
                kind = case["request"]["principal_type"]
                allowed[kind] = allowed.get(kind, 0) + 1
    assert min(outcomes.values()) > 1000, outcomes
    assert set(layers) == {"resource", "identity", "boundary", "session", "scp", "rcp"}
    assert min(layers.values()) > 200, layers
    assert len(allowed) == 9, allowed
    assert min(allowed.values()) > 20, allowed
