"""Asks the solver, in a process of its own, what policies grant: for calls, whose accounts share it, and for the scan.

Nothing of it is loaded before the first question, and a server without the extra `analyzer` has none of it.
"""

import importlib.util
import threading
import time
from typing import TYPE_CHECKING, Any

from sekisho.errors import Unimplemented
from sekisho.journal.analyzers.zones import Trusted

if TYPE_CHECKING:
    from sekisho.analysis.solver import Grant

LONGEST = 5.0
"""Seconds that one look of the scan may take, the time that it waits for calls included."""


class SolverNotInstalled(Unimplemented):
    """This server was installed without the solver; the extra `analyzer` brings it."""


def is_possible() -> bool:
    """Whether this installation has the solver."""
    return importlib.util.find_spec("z3") is not None


class Questions:
    """The questions of one process of a node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._solver: Any = None

    def ask(self, name: str, *arguments: Any, deadline: float, account: str = "") -> Any:
        """The answer of a function of `analysis.solver`; `deadline` is on the monotonic clock.

        SolverNotInstalled where there is none; Throttling where too many questions wait. What is not answered in time is Unanswered, or a
        verdict that says so.
        """
        if not is_possible():
            raise SolverNotInstalled("This server does not have the solver: install it with the extra `analyzer`.")
        from sekisho.analysis.solver.process import Call, Solver  # which loads what most servers never need

        with self._lock:
            if self._solver is None:
                self._solver = Solver()
        return self._solver.ask(Call(name, arguments), deadline, account=account)

    def external(
        self, document: str, resource: str, owner: str, trusted: Trusted, *, deadline: float, account: str = ""
    ) -> "tuple[Grant, ...] | None":
        """The grants of a document to whoever is outside of a zone; None where that is not known in time."""
        from sekisho.analysis.solver import Zone
        from sekisho.analysis.solver.process import Unanswered

        zone = Zone(trusted.accounts, trusted.organization_id, trusted.paths)
        try:
            found: tuple[Grant, ...] = self.ask("external", document, resource, owner, zone, deadline=deadline, account=account)
        except Unanswered:
            return None
        return found

    def looked(self, document: str, resource: str, owner: str, trusted: Trusted) -> "tuple[Grant, ...] | None":
        """The same for the scan."""
        return self.external(document, resource, owner, trusted, deadline=time.monotonic() + LONGEST)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._solver is not None:
                self._solver.close()
