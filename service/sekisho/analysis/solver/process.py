"""A process of its own for questions, so that none slows a decision: bounded in memory, ended past its time, and started anew.

Questions wait in turns: one of each account after the other, so that an account with a thousand of them waits for itself. What an account
has waiting is bounded, and so is what all have.
"""

import selectors
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from sekisho.analysis.solver import plain
from sekisho.analysis.solver.child import read, write
from sekisho.analysis.solver.questions import Answer, Verdict
from sekisho.errors import SekishoError, Throttling

MEMORY = 1 << 30
"""Bytes of address space that a question may take, with all that the process has loaded."""
LONGEST = 10.0
"""Seconds that one question may take, whatever its deadline."""
GRACE = 0.5
"""Seconds that an answer may be late before the process is ended."""
STARTING = 60.0
"""Seconds that a process has to come up."""
OF_ONE, OF_ALL = 16, 256
"""Questions that wait: of one account, and of all together."""


@dataclass(frozen=True, slots=True)
class Call:
    """A question: the name of a function of `analysis.solver`, and its arguments but for the time."""

    name: str
    arguments: tuple[Any, ...]


class Unanswered(Exception):  # noqa: N818  # says what happened
    """There is no answer, for the reason that it says: time, memory, or that z3 is not installed."""


class Solver:
    """One process; safe to be asked by many threads."""

    def __init__(self, *, memory: int = MEMORY, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._memory, self._of_one, self._of_all = memory, of_one, of_all
        self._turns = threading.Condition()
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()  # by account, the one whose turn it is first
        self._busy = False
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, call: Call, deadline: float, *, account: str = "") -> Any:
        """The answer of the function; `deadline` is one of `time.monotonic`.

        What cannot be answered in time or in memory is a Verdict `unknown` where the function gives one, else Unanswered. Throttling where
        too many questions wait, and the errors of the function itself. What a policy plainly says is told without a turn.
        """
        if call.name == "external" and (told := plain.external(*call.arguments)) is not None:
            return told
        self._take_turn(deadline, account)
        try:
            return self._answer(call, deadline)
        except Unanswered as error:
            if call.name == "external":
                raise
            return Verdict(Answer.UNKNOWN, reason=str(error))
        finally:
            with self._turns:
                self._busy = False
                self._turns.notify_all()

    def start(self) -> None:
        """Start the process, unless there is one; for whoever asks alone, and would not have it start in the time of a question."""
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = self._started()

    @property
    def process_id(self) -> int | None:
        """The process that answers, where there is one."""
        child = self._child
        return child.pid if child is not None else None

    @property
    def waiting(self) -> dict[str, int]:
        """How many questions of each account wait."""
        with self._turns:
            return {account: len(tickets) for account, tickets in self._waiting.items()}

    def close(self) -> None:
        """End the process; a later question starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()

    def _take_turn(self, deadline: float, account: str) -> None:
        """Wait until no other question is asked and this one is next."""
        ticket = object()
        with self._turns:
            own = self._waiting.get(account, ())
            if len(own) >= self._of_one or sum(map(len, self._waiting.values())) >= self._of_all:
                raise Throttling("Too many questions about policies are waiting; ask again later.")
            self._waiting.setdefault(account, deque()).append(ticket)
            try:
                while self._busy or self._next() is not ticket:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise Throttling("The question has waited too long for others; ask again later.")
                    self._turns.wait(left)
                self._busy = True
            finally:
                own = self._waiting[account]
                own.remove(ticket)
                del self._waiting[account]
                if own:
                    self._waiting[account] = own  # behind the other accounts
                self._turns.notify_all()

    def _next(self) -> object:
        return next(iter(self._waiting.values()))[0]

    def _answer(self, call: Call, deadline: float) -> Any:
        self.start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        milliseconds = int(min(deadline - time.monotonic(), LONGEST) * 1000)
        if milliseconds <= 0:
            raise Unanswered("there was no time left for the question")
        try:
            write(child.stdin, (call.name, call.arguments, milliseconds))
            answer = self._heard(child, milliseconds / 1000 + GRACE)
        except (EOFError, OSError):
            self.close()
            raise Unanswered("the question takes more memory than it is given") from None
        except BaseException:
            self.close()  # else the next question would hear this one's answer
            raise
        if isinstance(answer, SekishoError):
            raise answer
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sekisho.analysis.solver.child", str(self._memory)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # ours
        try:
            self._child = child
            self._heard(child, STARTING)
        except EOFError:
            self.close()
            raise Unanswered("the process that answers does not start; its standard error says why") from None
        return child

    def _heard(self, child: subprocess.Popen[bytes], seconds: float) -> Any:
        """What the process says; Unanswered where it says nothing for so long, and is ended."""
        assert child.stdout is not None
        with selectors.DefaultSelector() as answers:  # `select.select` takes no file beyond the 1,024th of a server
            answers.register(child.stdout, selectors.EVENT_READ)
            ready = answers.select(max(0.0, seconds))
        if not ready:
            self.close()
            raise Unanswered("the question takes longer than it is given")
        return read(child.stdout)
