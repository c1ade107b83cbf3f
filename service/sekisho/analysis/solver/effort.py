"""The effort that one question may take, in steps: nothing here reads a clock, so the same question always has the same answer."""

STEPS_A_MILLISECOND = 60
"""Steps of searching that a slow core takes in a millisecond; one is some 10 µs."""


class TooHard(Exception):  # noqa: N818  # says what happened, as `TooMuchWork` of policy does; it becomes an answer `unknown`
    """The question takes more than it was given, or says what cannot be translated."""


class Effort:
    """What is left of the steps."""

    __slots__ = ("left", "milliseconds")

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self.left = milliseconds * STEPS_A_MILLISECOND

    def spend(self, steps: int) -> None:
        """Take steps; TooHard once none is left."""
        self.left -= steps
        if self.left < 0:
            raise TooHard(f"the question takes more than {self.milliseconds} ms")
