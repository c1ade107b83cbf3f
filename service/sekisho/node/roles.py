"""What a node is for: which services it answers, over which edges, in how many threads, and whether it writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from sekisho import operations
from sekisho.edges.lanes import Lanes


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of an edge: for decisions, more than can wait for the database at once (`memory.places`), and for everything else."""

    decide: int
    control: int


@dataclass(frozen=True, slots=True)
class Role:
    """One role. `services` are folders of `sekisho.services`, None all of them; a node that does not write neither migrates nor makes a
    first account.
    """

    services: tuple[str, ...] | None
    edges: Mapping[str, Threads]
    writes: bool

    def load(self) -> None:
        """Fill the registry with the functions of the services; TypeError when an rpc of theirs has none."""
        operations.load(self.services)

    def lanes(self, edge: str) -> Lanes:
        """The threads of an edge of this role."""
        threads = self.edges[edge]
        return Lanes(edge, decide=threads.decide, control=threads.control)


GRPC = "grpc"
HTTP = "http"

ROLES: Mapping[str, Role] = {
    "all": Role(
        services=None,
        edges={GRPC: Threads(decide=6, control=12), HTTP: Threads(decide=4, control=2)},
        writes=True,
    ),
}
