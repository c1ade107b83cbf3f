"""The evaluators that are compared, a module each: `NAME`, `CONDITIONS` and `writings(workload)`, the workload put in the peer's language.

A peer may have several writings; each yields an Arm. A module that cannot be imported, or whose program is missing, is a peer that is
reported as absent.
"""

import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.workload import Workload

MODULES = ("cedar", "regorus", "vakt", "casbin", "moto", "iam_simulate")


class Absent(Exception):  # noqa: N818  # says what is the matter with the peer
    """The peer is not installed, or does not start here."""


class Arm(Protocol):
    """One evaluator with one workload loaded."""

    def answers(self, indices: Sequence[int]) -> list[bool]:
        """Whether the requests at the indices are allowed."""

    def cost(self, indices: Sequence[int]) -> float:
        """Microseconds of CPU for one decision, over the requests at the indices."""

    def close(self) -> None:
        """Let go of what it holds."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """A Python function that decides, and its requests as it wants them."""

    decide: Callable[[Any], object]
    requests: Sequence[Any]

    def answers(self, indices: Sequence[int]) -> list[bool]:
        """What the function says."""
        return [bool(self.decide(self.requests[i])) for i in indices]

    def cost(self, indices: Sequence[int]) -> float:
        """CPU of all threads of this process."""
        decide, requests = self.decide, [self.requests[i] for i in indices]
        began = time.process_time()
        for request in requests:
            decide(request)
        return (time.process_time() - began) / len(requests) * 1e6

    def close(self) -> None:
        """Nothing but memory is held."""


class Peer(Protocol):
    """What a module of this package has."""

    NAME: str
    CONDITIONS: bool  # whether it evaluates the conditions of an identity policy

    def writings(self, workload: Workload) -> Iterable[tuple[str, Arm]]:
        """The workload loaded in each of the ways in which the peer can be told it; raises Absent or ImportError."""


def all_of_them() -> Iterator[Peer]:
    """Every peer, installed or not."""
    for name in MODULES:
        yield importlib.import_module(f"bench.peers.{name}")


def library(name: str) -> Any:
    """The module of a peer, which carries no types and may be missing."""
    return importlib.import_module(name)
