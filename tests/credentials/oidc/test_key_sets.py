"""Keys in memory: how long they verify, how often they are fetched, and who waits for that."""

import json
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from sekisho.credentials.errors import IDPCommunicationError, InvalidIdentityToken
from sekisho.credentials.oidc import key_sets, keys
from sekisho.credentials.oidc.addresses import Allowed
from sekisho.credentials.oidc.discovery import Source
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.credentials.oidc.keys import Key, Keys
from tests.credentials.oidc.test_tokens import KEYS
from tests.providers import EC, RSA

ONE, TWO = "111111111111", "222222222222"
SHOP = Source(ONE, "login.example.com", ())


@dataclass
class Bench:
    """Providers as a test wants them, with a clock of their own. While `gate` is shut, none answers."""

    now: float = 1000.0
    published: Keys = KEYS[:1]
    failure: Exception | None = None
    fetched: list[Source] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.gate.set()
        self.sets = KeySets(load=self.load, clock=lambda: self.now)

    def load(self, source: Source, _: Allowed) -> Keys:
        with self.changed:
            self.fetched.append(source)
            self.running += 1
            self.most_running = max(self.running, self.most_running)
            self.changed.notify_all()
        assert self.gate.wait(60)
        with self.changed:
            self.running -= 1
        if self.failure is not None:
            raise self.failure
        return self.published

    def find(self, source: Source = SHOP, key_id: str = "rsa", algorithm: str = "RS256", seconds: float = 60) -> list[str]:
        found = self.sets.find(source, lambda given: keys.fitting(given, key_id, algorithm), time.monotonic() + seconds)
        return [key.id for key in found]

    def until(self, state: Callable[[], bool]) -> None:
        """Wait for a state that fetches bring about."""
        with self.changed:
            assert self.changed.wait_for(state, 60)

    def settled(self) -> None:
        """Wait until no fetch is under way."""
        limit = time.monotonic() + 60
        while self.sets._fetching or self.sets._queued:
            assert time.monotonic() < limit
            time.sleep(0.005)

    @contextmanager
    def shut(self) -> Iterator[None]:
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()
            self.settled()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_keys_are_fetched_once(bench: Bench) -> None:
    assert [bench.find() for _ in range(3)] == [["rsa"]] * 3
    assert bench.fetched == [SHOP]


def test_an_unknown_key_is_looked_for_once_a_minute(bench: Bench) -> None:
    bench.find()
    for _ in range(5):
        assert bench.find(key_id="new") == ["rsa"], "it came less than a minute ago"
    assert len(bench.fetched) == 1
    bench.now += 60
    bench.published = KEYS[1:2]
    assert bench.find(key_id="ec", algorithm="ES256") == ["ec"]
    assert len(bench.fetched) == 2
    for _ in range(5):
        assert bench.find(key_id="newer") == ["ec"]
    bench.now += 59.9
    assert bench.find(key_id="newer") == ["ec"]
    assert len(bench.fetched) == 2
    bench.now += 0.1
    assert bench.find(key_id="newer") == ["ec"]
    assert len(bench.fetched) == 3


def test_old_keys_are_fetched_again_while_they_verify(bench: Bench) -> None:
    bench.find()
    bench.now += key_sets.FRESH
    bench.published = KEYS
    with bench.shut():
        assert bench.find() == ["rsa"], "nobody waits"
        bench.until(lambda: len(bench.fetched) == 2)
    assert bench.find() == ["rsa", "ec", "ed"]
    assert len(bench.fetched) == 2


def test_a_key_that_the_provider_has_withdrawn_is_gone_with_the_next_fetch(bench: Bench) -> None:
    bench.find()
    bench.now += key_sets.FRESH
    bench.published = KEYS[1:]
    bench.find()
    bench.settled()
    assert bench.find() == ["ec", "ed"]


def test_keys_verify_on_for_a_day_while_the_provider_is_away(bench: Bench) -> None:
    bench.find()
    bench.failure = IDPCommunicationError("away")
    for hours in (1, 12, 23.9):
        bench.now = 1000 + hours * 3600
        assert bench.find() == ["rsa"]
        bench.settled()
    bench.now = 1000 + key_sets.LAST
    with pytest.raises(IDPCommunicationError, match="away"):
        bench.find()
    bench.failure = None
    bench.now += key_sets.FAILED
    assert bench.find() == ["rsa"]


def test_a_provider_that_fails_is_left_alone_for_a_while(bench: Bench) -> None:
    bench.failure = InvalidIdentityToken("nonsense")
    for _ in range(5):
        with pytest.raises(InvalidIdentityToken, match="nonsense"):
            bench.find()
    assert len(bench.fetched) == 1
    bench.now += key_sets.FAILED
    with pytest.raises(InvalidIdentityToken):
        bench.find()
    assert len(bench.fetched) == 2


def test_a_defect_is_not_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.failure = ZeroDivisionError("secret")
    with pytest.raises(IDPCommunicationError) as caught:
        bench.find()
    assert "secret" not in caught.value.message


def test_where_the_system_gives_no_thread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with pytest.raises(IDPCommunicationError):
            bench.find()
    bench.now += key_sets.FAILED
    assert bench.find() == ["rsa"]


def test_other_thumbprints_are_another_source(bench: Bench) -> None:
    bench.find()
    bench.find(SHOP._replace(thumbprints=("0" * 40,)))
    assert len(bench.fetched) == 2


def test_a_call_waits_no_longer_than_its_deadline(bench: Bench) -> None:
    with bench.shut(), pytest.raises(IDPCommunicationError, match="in time"):
        bench.find(seconds=0.05)


def test_of_one_account_few_wait_and_one_fetch_is_under_way(bench: Bench) -> None:
    """An account registers providers that never answer; another's is asked all the same."""
    slow = [Source(ONE, f"slow-{number}.example.com", ()) for number in range(20)]
    outcomes: list[str] = []

    def call(source: Source) -> None:
        try:
            bench.find(source)
            outcomes.append("found")
        except IDPCommunicationError as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=call, args=(source,)) for source in slow]
    with bench.shut():
        for thread in threads:
            thread.start()
        refused = len(slow) - key_sets.MOST_WAITING_OF_ONE
        limit = time.monotonic() + 60
        while len(outcomes) < refused:
            assert time.monotonic() < limit
            time.sleep(0.005)
        assert bench.running == 1
        other = threading.Thread(target=call, args=(Source(TWO, "quick.example.com", ()),))
        other.start()
        bench.until(lambda: bench.running == 2)
        assert bench.fetched[1].account == TWO
    for thread in (*threads, other):
        thread.join(60)
    assert outcomes.count("found") == key_sets.MOST_WAITING_OF_ONE + 1
    assert len(bench.fetched) <= 1 + key_sets.MOST_QUEUED + 1


def test_of_all_accounts_few_wait_and_four_fetches_are_under_way(bench: Bench) -> None:
    outcomes: list[str] = []

    def call(account: str) -> None:
        try:
            bench.find(Source(account, "slow.example.com", ()))
            outcomes.append("found")
        except IDPCommunicationError:
            outcomes.append("refused")

    threads = [threading.Thread(target=call, args=(f"{number:012}",)) for number in range(20)]
    with bench.shut():
        for thread in threads:
            thread.start()
        limit = time.monotonic() + 60
        while outcomes.count("refused") < len(threads) - key_sets.MOST_WAITING:
            assert time.monotonic() < limit
            time.sleep(0.005)
        bench.until(lambda: bench.running == key_sets.MOST_FETCHES)
        assert "found" not in outcomes
    for thread in threads:
        thread.join(60)
    assert bench.most_running == key_sets.MOST_FETCHES
    assert outcomes.count("found") == key_sets.MOST_WAITING


def test_calls_that_have_their_keys_never_wait(bench: Bench) -> None:
    bench.find()
    with bench.shut():
        others = [threading.Thread(target=lambda n=n: bench.find(Source(f"{n:012}", "slow.example.com", ()))) for n in range(6)]
        for thread in others:
            thread.start()
        bench.until(lambda: bench.running == key_sets.MOST_FETCHES)
        assert [bench.find() for _ in range(100)] == [["rsa"]] * 100
    for thread in others:
        thread.join(60)


def test_the_account_that_has_most_keys_gives() -> None:
    many = tuple(Key(str(number), KEYS[0].algorithms, KEYS[0].verifier) for number in range(200))
    published = {ONE: many, TWO: KEYS[:1]}
    sets = KeySets(load=lambda source, _: published[source.account], budget=5_000_000)
    fetched: list[Source] = []

    def find(source: Source) -> None:
        before = sets._entries.get(source)
        sets.find(source, lambda given: given[:1], time.monotonic() + 60)
        if before is None:
            fetched.append(source)

    find(Source(TWO, "quiet.example.com", ()))
    for number in range(12):
        find(Source(ONE, f"{number}.example.com", ()))
    assert sets._costs.total() <= 5_000_000
    assert Source(TWO, "quiet.example.com", ()) in sets._entries
    assert Source(ONE, "0.example.com", ()) not in sets._entries
    assert Source(ONE, "11.example.com", ()) in sets._entries


def test_what_keys_cost() -> None:
    """As `BUDGET` counts them."""
    text = json.dumps({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)] * 100}).encode()
    keys.read(text)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = keys.read(text)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert (after - before) / len(found) <= key_sets._PER_KEY
