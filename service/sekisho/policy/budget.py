"""What a decision may cost, so that no input makes one slow: what is asked is weighed before it is asked, and too much is refused.

A weight is an estimate in nanoseconds of the worst that can happen, and depends on how large the request is. Nothing here reads a clock:
the same question is always answered, or always refused.
"""

from collections.abc import Iterable
from operator import mul, sub
from typing import NamedTuple

from sekisho.policy import keys
from sekisho.policy.keys import Values

MAX = 6_000_000.0  # ns that finding the outcome may take
MAX_REASONS = 2_000_000.0  # ns that finding all of its reasons may take after that
MAX_EXPLAINED = 200_000_000.0  # ns that words for a decision may take, each way of looking at it
LIGHT = 25_000.0  # ns at the largest request: what weighs less is not counted, unless there are many policies
LARGEST_RESOURCE = 8192  # characters; AWS's ARNs have at most 2,048


class TooMuchWork(Exception):  # noqa: N818  # says what happened, as `StopIteration` does; decide turns it into a denial
    """The policies of a request could take more time than a decision is given."""


class Weight(NamedTuple):
    """Nanoseconds: whatever is asked, and for each of what `keys.Size` counts in the context, and the same of the resource."""

    fixed: float = 0.0
    values: float = 0.0
    characters: float = 0.0
    squares: float = 0.0
    resource: float = 0.0
    resource_squares: float = 0.0


NOTHING = Weight()
_TOO_LONG = "the policies could take too long for a request of this size"
_LARGEST = (1, *keys.LARGEST, LARGEST_RESOURCE, keys.squares(LARGEST_RESOURCE))


def both(one: Weight, other: Weight) -> Weight:
    """Two of them, one after the other."""
    return Weight(one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4], one[5] + other[5])


def total(weights: Iterable[Weight]) -> Weight:
    """All of them, one after another."""
    listed = list(weights)
    if len(listed) < 3:  # nearly always, and in a fifth of the time
        return both(*listed) if len(listed) == 2 else listed[0] if listed else NOTHING
    return Weight(*map(sum, zip(*listed, strict=True)))


def most(weights: Iterable[Weight]) -> Weight:
    """Any one of them."""
    return Weight(*map(max, zip(NOTHING, NOTHING, *weights, strict=True)))


def plus(weight: Weight, fixed: float) -> Weight:
    """A weight and so many nanoseconds more, whatever is asked."""
    return Weight(weight[0] + fixed, *weight[1:])


def less(weight: Weight, part: Weight) -> Weight:
    """A weight without a part of it."""
    return Weight(*map(sub, weight, part))


def is_light(weight: Weight) -> bool:
    """Whether it comes to nothing much for the largest of requests."""
    return float(sum(map(mul, weight, _LARGEST))) <= LIGHT


class Budget:
    """What is left for one decision; nearly free to make, because most decisions never ask it for anything."""

    left = MAX
    size: keys.Size | None = None  # of the context, measured when it is first needed
    strict = False  # whether what is light counts too

    def for_reasons(self) -> "Budget":
        """Another, for the reasons of the same decision."""
        another = Budget()
        another.left, another.size, another.strict = MAX_REASONS, self.size, self.strict
        return another

    def charge(self, weight: Weight, resource: str, context: Values) -> None:
        """Take the weight for a request; TooMuchWork once nothing is left."""
        size = self.size
        if size is None:
            size = self.size = keys.size(context)
        fixed, of_value, of_character, of_square, of_resource, of_resource_square = weight
        cost = fixed + of_value * size[0] + of_character * size[1] + of_square * size[2]
        if of_resource or of_resource_square:
            length = len(resource)
            cost += of_resource * length + of_resource_square * length * min(length, keys.LONG)
        self.left -= cost
        if self.left < 0:
            raise TooMuchWork(_TOO_LONG)

    def spend(self, cost: float) -> None:
        """The same of what weighs so much whatever the request."""
        self.left -= cost
        if self.left < 0:
            raise TooMuchWork(_TOO_LONG)
