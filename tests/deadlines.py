"""A deadline that passes after so many looks at it, so that no test depends on a clock."""

import pytest

from sekisho.errors import RequestTimeout


class Deadline:
    """In place of `remaining` in modules: counts the looks, and from the given one on the time is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: str, ends_at: int) -> None:
        self.looks = 0
        self._ends_at = ends_at
        for module in modules:
            monkeypatch.setattr(f"{module}.remaining", self)

    def __call__(self, deadline: float) -> float:
        self.looks += 1
        if self.looks >= self._ends_at:
            raise RequestTimeout("over")
        return 1.0
