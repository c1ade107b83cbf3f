"""Asks the solver, in processes of their own, what policies grant: one for calls, whose accounts share it, and one for the scan.

The scan waits for no call: whoever asks much would else keep it from what others are to be told.

Nothing of it is loaded before the first question, and a server without the extra `analyzer` has none of it.
"""

import importlib.util
import threading
import time
from typing import TYPE_CHECKING, Any

from sekisho.analysis.inside import Case
from sekisho.errors import MalformedPolicyDocument, ServiceUnavailable, Unimplemented
from sekisho.journal.analyzers.zones import Trusted

if TYPE_CHECKING:
    from sekisho.analysis.solver import Control, Grant, Verdict, Zone

LONGEST = 5.0
"""Seconds that one look of the scan may take."""


class SolverNotInstalled(Unimplemented):
    """This server was installed without the solver; the extra `analyzer` brings it."""


def is_possible() -> bool:
    """Whether this installation has the solver."""
    return importlib.util.find_spec("z3") is not None


class Questions:
    """The questions of one process of a node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._solvers: dict[bool, Any] = {}  # of calls, and of the scan
        self._is_closed = False

    def ask(self, name: str, *arguments: Any, deadline: float, account: str = "") -> Any:
        """The answer of a function of `analysis.solver`; `deadline` is on the monotonic clock.

        SolverNotInstalled where there is none; Throttling where too many questions wait. What is not answered in time is Unanswered, or a
        verdict that says so.
        """
        if not is_possible():
            raise SolverNotInstalled("This server does not have the solver: install it with the extra `analyzer`.")
        from sekisho.analysis.solver.process import Call  # which loads what most servers never need

        return self._of(scan=False).ask(Call(name, arguments), deadline, account=account)

    def _of(self, *, scan: bool) -> Any:
        from sekisho.analysis.solver.process import Solver

        with self._lock:
            if self._is_closed:
                raise ServiceUnavailable("The server is ending.")
            return self._solvers.setdefault(scan, Solver())

    def external(
        self, document: str, resource: str, owner: str, trusted: Trusted, *, deadline: float, account: str = ""
    ) -> "tuple[Grant, ...] | None":
        """The grants of a document to whoever is outside of a zone; None where that is not known in time."""
        from sekisho.analysis.solver.process import Unanswered

        asked = (document, resource, owner, *_of(owner, trusted))
        try:
            found: tuple[Grant, ...] = self.ask("external", *asked, deadline=deadline, account=account)
        except Unanswered:
            return None
        return found

    def looked(self, document: str, resource: str, owner: str, trusted: Trusted) -> "tuple[Grant, ...] | None":
        """The same for the scan; None for a document that is none any more, too, so that no policy holds up the others."""
        from sekisho.analysis.solver.process import Call, Unanswered

        solver = self._of(scan=True)
        try:
            solver.start()  # which takes longer than most looks, and is not of their time
            call = Call("external", (document, resource, owner, *_of(owner, trusted)))
            found: tuple[Grant, ...] = solver.ask(call, time.monotonic() + LONGEST)
        except (Unanswered, MalformedPolicyDocument):
            return None
        return found

    def inside(self, case: Case) -> "Verdict":
        """Whether somebody known can do something, for the scan; unknown where the solver does not even start, which holds up nobody."""
        from sekisho.analysis.solver import Answer, Verdict
        from sekisho.analysis.solver.process import Call, Unanswered

        solver = self._of(scan=True)
        try:
            solver.start()
        except Unanswered as error:
            return Verdict(Answer.UNKNOWN, reason=str(error))
        verdict: Verdict = solver.ask(Call("inside", (case,)), time.monotonic() + LONGEST)
        return verdict

    def close(self) -> None:
        """End the processes; there are no others after."""
        with self._lock:
            self._is_closed = True
            for solver in self._solvers.values():
                solver.close()


def _of(owner: str, trusted: Trusted) -> "tuple[Zone, Control | None]":
    """A zone of trust, and what restricts who comes to an owner's resources, as the solver takes them."""
    from sekisho.analysis.solver import Control, Zone

    documents = trusted.restricting.get(owner, ())
    return Zone(trusted.accounts, trusted.organization_id, trusted.paths), Control(documents, trusted.belongs) if documents else None
