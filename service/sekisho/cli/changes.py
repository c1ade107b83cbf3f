"""What is to be done to one thing of an account, said before it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["created", "changed", "deleted", "unchanged"]
Part = tuple[str, Callable[[], object]]
"""One thing to do, in words, and doing it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one policy, group, user or role needs; `extra` is what it has too much, `fixed` what differs and can never be changed."""

    what: str
    result: Result
    parts: tuple[Part, ...] = ()
    extra: tuple[Part, ...] = ()
    fixed: tuple[str, ...] = ()

    def pruned(self) -> "Change":
        """The change that also removes what is extra."""
        result = "changed" if self.extra and self.result == "unchanged" else self.result
        return Change(self.what, result, (*self.parts, *self.extra), (), self.fixed)

    def run(self) -> Result:
        """Bring it about; an error says in what it was."""
        from sekisho.client import Error

        try:
            for _, work in self.parts:
                work()
        except Error as error:
            raise ValueError(f"{self.what}: {error}") from error
        return self.result


@dataclass(frozen=True, slots=True)
class Step:
    """One thing of the directory, to be compared with the account."""

    what: str
    compare: Callable[[], Change]

    def run(self) -> Change:
        """What it needs; an error says in what it was."""
        from sekisho.client import Error

        try:
            return self.compare()
        except Error as error:
            raise ValueError(f"{self.what}: {error}") from error


def part(said: str, call: Callable[..., object], **arguments: Any) -> Part:
    """One call, in words."""
    return said, lambda: call(**arguments)
