"""The keys of providers in memory, and the few threads that fetch them.

Keys are fetched again when they are `FRESH` old, and beforehand when a token names one that is not there, at most once in `AGAIN`. While
a provider is away, its keys verify on until they are `LAST` old. Nobody who decides waits for a fetch: it happens in a thread of its own,
for which a call waits that cannot go on without it, and few of those do at once.

No account takes much of it from the others: one fetches from one provider at a time, and its calls and its keys have bounds of their own.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, field

import structlog

from sekisho import meters
from sekisho.credentials.errors import IDPCommunicationError, InvalidIdentityToken
from sekisho.credentials.oidc.addresses import Allowed
from sekisho.credentials.oidc.discovery import Source, load_keys
from sekisho.credentials.oidc.keys import Keys
from sekisho.errors import SekishoError

FRESH = 900.0
"""Seconds after which keys that are asked for are fetched again, while they verify on."""
LAST = 86_400.0
"""Seconds for which keys verify after they were fetched."""
AGAIN = 60.0
"""Seconds between two fetches from a provider whose keys are there."""
FAILED = 10.0
"""Seconds between two fetches from a provider of which there is no key."""

MOST_FETCHES = 4
"""Fetches at once; of one account, one."""
MOST_QUEUED = 8
"""Fetches of an account that wait for their turn."""
MOST_WAITING = 6
"""Calls at once that wait for a fetch: fewer than the threads that there are for such calls (`edges.lanes`)."""
MOST_WAITING_OF_ONE = 3
PATIENCE = 10.0
"""Seconds that a call waits at the most: twice what a fetch takes, for its account may have another one under way."""

BUDGET = 32 * 2**20
"""Bytes of keys in all; the account that has most of them gives."""
_PER_ENTRY, _PER_KEY = 2_048, 6_144  # bytes, measured with tracemalloc and rounded up

FETCHES = meters.Counter("sekisho_oidc_fetches", "Fetches of the keys of OpenID Connect providers, by outcome.", ["outcome"])

log = structlog.get_logger(__name__)

Load = Callable[[Source, Allowed], Keys]


@dataclass(slots=True)
class _Entry:
    """The keys of one provider; times are on the clock of the whole. `failure` is what the last fetch came to, if it came to nothing."""

    source: Source
    keys: Keys = ()
    fetched: float = float("-inf")
    tried: float = float("-inf")
    failure: SekishoError | None = None
    fetch: "Future[None] | None" = field(default=None)

    @property
    def cost(self) -> int:
        return _PER_ENTRY + _PER_KEY * len(self.keys)


class KeySets:
    """The keys of all providers that were asked for; threads share it."""

    def __init__(
        self, allowed: Allowed | None = None, *, load: Load = load_keys, clock: Callable[[], float] = time.monotonic, budget: int = BUDGET
    ) -> None:
        self._allowed, self._load, self._clock, self._budget = allowed or {}, load, clock, budget
        self._lock = threading.Lock()
        self._entries: OrderedDict[Source, _Entry] = OrderedDict()
        self._costs: Counter[str] = Counter()
        self._queued: OrderedDict[str, deque[_Entry]] = OrderedDict()
        self._fetching: set[str] = set()
        self._waiting: Counter[str] = Counter()

    def find(self, source: Source, fits: Callable[[Keys], Keys], deadline: float) -> Keys:
        """The keys of a provider, those that fit among them if the provider has any; IDPCommunicationError or InvalidIdentityToken when
        there are none to be had. `deadline` is the call's, on the monotonic clock.
        """
        with self._lock:
            entry = self._entry(source)
            now = self._clock()
            usable = entry.keys if now - entry.fetched < LAST else ()
            missing = not fits(usable)
            if missing or now - entry.fetched >= FRESH:
                self._want(entry, now, usable=bool(usable))
            if not missing:
                return usable
            fetch = entry.fetch
            if fetch is None:
                if usable:
                    return usable
                raise _anew(entry.failure) if entry.failure is not None else _busy()
            self._enter(source.account)
        try:
            fetch.result(min(PATIENCE, max(0.0, deadline - time.monotonic())))
        except TooLate:
            raise IDPCommunicationError("The identity provider did not answer in time.") from None
        finally:
            with self._lock:
                self._leave(source.account)
        usable = entry.keys if self._clock() - entry.fetched < LAST else ()
        if not usable and entry.failure is not None:
            raise _anew(entry.failure)
        return usable

    def _enter(self, account: str) -> None:
        if self._waiting.total() >= MOST_WAITING or self._waiting[account] >= MOST_WAITING_OF_ONE:
            FETCHES.labels("busy").inc()
            raise _busy()
        self._waiting[account] += 1

    def _leave(self, account: str) -> None:
        self._waiting[account] -= 1
        if not self._waiting[account]:
            del self._waiting[account]

    def _want(self, entry: _Entry, now: float, *, usable: bool) -> None:
        """Have a provider's keys fetched, unless that is under way, or was tried too lately."""
        if entry.fetch is not None or now - entry.tried < (AGAIN if usable else FAILED):
            return
        queued = self._queued.setdefault(entry.source.account, deque())
        if len(queued) >= MOST_QUEUED:
            return
        entry.fetch, entry.tried = Future(), now
        queued.append(entry)
        self._start()

    def _start(self) -> None:
        """Give a thread to each account whose turn it is, the one that had none for longest first."""
        for account in [one for one in self._queued if one not in self._fetching][: MOST_FETCHES - len(self._fetching)]:
            queued = self._queued.pop(account)
            entry = queued.popleft()
            if queued:
                self._queued[account] = queued
            self._fetching.add(account)
            try:
                threading.Thread(target=self._fetch, args=(entry,), name="oidc-fetch", daemon=True).start()
            except RuntimeError:  # the system gives no thread
                log.error("oidc.no_thread")
                self._end(entry, (), _busy())

    def _fetch(self, entry: _Entry) -> None:
        keys: Keys = ()
        failure: SekishoError | None = None
        try:
            keys = self._load(entry.source, self._allowed)
        except SekishoError as error:
            failure = error
        except Exception:
            log.exception("oidc.failure", issuer=entry.source.issuer)
            failure = _busy()
        outcome = "fetched" if failure is None else "refused" if isinstance(failure, InvalidIdentityToken) else "unreachable"
        FETCHES.labels(outcome).inc()
        if failure is not None:
            log.warning("oidc.not_fetched", issuer=entry.source.issuer, account=entry.source.account, error=failure.message)
        with self._lock:
            self._end(entry, keys, failure)
            self._start()

    def _end(self, entry: _Entry, keys: Keys, failure: SekishoError | None) -> None:
        """A fetch is over: who waits for it goes on."""
        self._keep(entry, keys, failure)
        fetch, entry.fetch = entry.fetch, None
        self._fetching.discard(entry.source.account)
        if fetch is not None:
            fetch.set_result(None)

    def _keep(self, entry: _Entry, keys: Keys, failure: SekishoError | None) -> None:
        entry.failure = failure
        if failure is not None:
            return
        is_kept = self._entries.get(entry.source) is entry
        if is_kept:
            self._costs[entry.source.account] -= entry.cost
        entry.keys, entry.fetched = keys, self._clock()
        if is_kept:
            self._costs[entry.source.account] += entry.cost
            self._shrink()

    def _entry(self, source: Source) -> _Entry:
        entry = self._entries.get(source)
        if entry is None:
            entry = self._entries[source] = _Entry(source)
            self._costs[source.account] += entry.cost
            self._shrink()
        self._entries.move_to_end(source)
        return entry

    def _shrink(self) -> None:
        """Forget what was not asked for longest of the account that has most."""
        while self._costs.total() > self._budget:
            account, _ = self._costs.most_common(1)[0]
            source = next(one for one in self._entries if one.account == account)
            self._costs[account] -= self._entries.pop(source).cost
            if not self._costs[account]:
                del self._costs[account]


def _anew(failure: SekishoError) -> SekishoError:
    """The same error once more: one that is raised again and again remembers from where each time."""
    return type(failure)(failure.message)


def _busy() -> IDPCommunicationError:
    return IDPCommunicationError("The identity provider could not be asked just now; the call may be made again.")
