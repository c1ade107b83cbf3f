"""What a stream says in place of a message while it has none."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on when `due`, at the latest at `until` (monotonic).

    `due` is asked when something of these accounts has changed, of any account where there are none, and once after the wait has begun: so
    nothing is missed that came meanwhile. It costs microseconds and never blocks.
    """

    until: float
    due: Callable[[], bool] = lambda: False
    accounts: frozenset[str] = frozenset()
