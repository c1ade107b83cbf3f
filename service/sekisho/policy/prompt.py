"""Which questions policies answer at once: those whose statements have been found before, or are few, and weigh little."""

from collections.abc import Iterable

from sekisho.policy.decide import applying
from sekisho.policy.layers import Attached, Layers, Request

FEW = 16
"""Statements that are found in two milliseconds at the most; of a document of 131,072 characters it takes up to 180."""


def is_prompt(request: Request, layers: Layers) -> bool:
    """Whether `decide` takes no longer than a light decision does."""
    layers, action = applying(request, layers), request.action
    if layers.resource is not None and not _at_hand(layers.resource, action, of_resource=True):
        return False
    if not all(_at_hand(attached, action, of_resource=True) for level in layers.rcps or () for attached in level):
        return False
    groups: Iterable[tuple[Attached, ...]] = (layers.identity, layers.boundary or (), layers.session or (), *(layers.scps or ()))
    for group in groups:
        for attached in group:
            if not _at_hand(attached, action, of_resource=False):
                return False
    return True


def _at_hand(attached: Attached, action: str, *, of_resource: bool) -> bool:
    program = attached.program
    bucket = (program.resource if of_resource else program.identity).get(action)
    return len(program.rules) <= FEW if bucket is None else bucket[2] is None
