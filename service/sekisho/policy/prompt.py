"""Which questions policies answer at once: those whose statements have been found before, or are few, and that weigh little."""

from collections.abc import Iterable

from sekisho.policy.budget import Budget, TooMuchWork
from sekisho.policy.decide import applying
from sekisho.policy.layers import Attached, Layers, Request

FEW = 16
"""Statements that are found in two milliseconds at the most; of a document of 131,072 characters it takes up to 180."""


SOON = 250_000.0
"""Nanoseconds that what weighs something may take together, for the request that is asked about."""


def is_prompt(request: Request, layers: Layers) -> bool:
    """Whether `decide` takes no longer than a fraction of a millisecond."""
    layers = applying(request, layers)
    groups: Iterable[tuple[Attached, ...]] = (layers.identity, layers.boundary or (), layers.session or (), *(layers.scps or ()))
    left = Budget()
    left.left = SOON
    try:
        if layers.resource is not None and not _at_hand(layers.resource, request, left, of_resource=True):
            return False
        if not all(_at_hand(attached, request, left, of_resource=True) for level in layers.rcps or () for attached in level):
            return False
        return all(_at_hand(attached, request, left, of_resource=False) for group in groups for attached in group)
    except TooMuchWork:
        return False


def _at_hand(attached: Attached, request: Request, left: Budget, *, of_resource: bool) -> bool:
    program = attached.program
    bucket = (program.resource if of_resource else program.identity).get(request.action)
    if bucket is None:
        return len(program.rules) <= FEW
    if bucket[2] is not None:
        left.charge(bucket[2], request.resource, request.context)
    return True
