"""What a node is for: which services it answers, over which edges, in how many threads, with which keys, and whether it writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from sekisho import operations
from sekisho.credentials.key_ring import ACCESS_KEYS, SESSIONS, SNAPSHOT
from sekisho.edges.lanes import Lanes


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of an edge: for decisions, more than can wait for the database at once (`memory.places`), and for everything else."""

    decide: int
    control: int


@dataclass(frozen=True, slots=True)
class Role:
    """One role. `services` are folders of `sekisho.services`, None all of them but those in `without`; `purposes` are the keys of the ring
    that it has, None all. A node that does not write neither migrates nor makes a first account, and keeps its memory on disk.
    """

    services: tuple[str, ...] | None
    edges: Mapping[str, Threads]
    writes: bool
    without: tuple[str, ...] = ()
    purposes: tuple[str, ...] | None = None

    @property
    def packages(self) -> frozenset[str]:
        """The services that it answers."""
        return frozenset(self.services if self.services is not None else operations.packages()) - frozenset(self.without)

    def load(self) -> None:
        """Fill the registry with the functions of the services; TypeError when an rpc of theirs has none."""
        operations.load(sorted(self.packages))

    def lanes(self, edge: str) -> Lanes:
        """The threads of an edge of this role."""
        threads = self.edges[edge]
        return Lanes(edge, decide=threads.decide, control=threads.control)


ALL = "all"
GRPC = "grpc"
HTTP = "http"

ROLES: Mapping[str, Role] = {
    ALL: Role(
        services=None,
        edges={GRPC: Threads(decide=6, control=12), HTTP: Threads(decide=4, control=2)},
        writes=True,
    ),
    # STS also here: a code of an MFA device is taken once, which takes a write.
    "control": Role(
        services=None,
        without=("authorize",),
        edges={GRPC: Threads(decide=6, control=12), HTTP: Threads(decide=4, control=2)},
        writes=True,
    ),
    "data": Role(
        services=("authorize", "sts"),
        edges={GRPC: Threads(decide=6, control=6), HTTP: Threads(decide=4, control=2)},
        writes=False,
        purposes=(ACCESS_KEYS, SESSIONS, SNAPSHOT),
    ),
}
