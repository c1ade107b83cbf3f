"""What tasks of a campaign find."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Found:
    """What some pairs or worlds came to."""

    answers: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    cpu: float = 0.0  # seconds
