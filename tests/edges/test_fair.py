"""Who waits beside others gets the same share of the threads, whatever it sends."""

from collections import Counter

from sekisho.edges.fair import FairQueue

MOST = 1000


def served(queue: FairQueue[str], costs: dict[str, float], seconds: float) -> tuple[Counter[str], dict[str, float]]:
    """Serve for some time; how many calls of each account were answered, and what they took together."""
    answered: Counter[str] = Counter()
    spent = dict.fromkeys(costs, 0.0)
    now = 0.0
    while now < seconds and (taken := queue.take()) is not None:
        account, _, expected = taken
        now += costs[account]
        spent[account] += costs[account]
        answered[account] += 1
        queue.settle(account, expected=expected, spent=costs[account])
        queue.put(account, "again", MOST)
    return answered, spent


def test_a_flood_gets_as_much_as_one_who_asks_now_and_then() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(500):
        queue.put("flood", "call", MOST)
    queue.put("quiet", "call", MOST)
    first = [queue.take() for _ in range(2)]
    assert {taken[0] for taken in first if taken is not None} == {"flood", "quiet"}


def test_long_calls_get_no_more_time_than_short_ones() -> None:
    queue: FairQueue[str] = FairQueue()
    for account in ("long", "short"):
        for _ in range(50):
            queue.put(account, "call", MOST)
    answered, spent = served(queue, {"long": 0.5, "short": 0.001}, 60.0)
    assert 25.0 < spent["long"] < 35.0
    assert 25.0 < spent["short"] < 35.0
    assert answered["short"] > 20_000


def test_three_who_wait_get_a_third_each() -> None:
    queue: FairQueue[str] = FairQueue()
    for account in ("a", "b", "c"):
        for _ in range(20):
            queue.put(account, "call", MOST)
    _, spent = served(queue, {"a": 0.1, "b": 0.01, "c": 0.002}, 30.0)
    assert all(9.0 < seconds < 11.0 for seconds in spent.values())


def test_idle_time_is_no_credit_and_a_pause_pays_no_debt() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(10):
        queue.put("busy", "call", MOST)
    served(queue, {"busy": 1.0}, 100.0)
    for _ in range(10):
        queue.put("late", "call", MOST)
    _, spent = served(queue, {"busy": 1.0, "late": 1.0}, 20.0)
    assert 9.0 <= spent["late"] <= 11.0, "a hundred idle seconds would have given it all"
    heavy: FairQueue[str] = FairQueue()
    heavy.put("heavy", "call", MOST)
    account, _, expected = heavy.take() or ("", "", 0.0)
    heavy.settle(account, expected=expected, spent=10.0)
    heavy.put("light", "call", MOST)
    heavy.put("heavy", "call", MOST)  # it has paused: nothing of it was waiting
    assert [taken[0] for taken in (heavy.take(), heavy.take()) if taken is not None] == ["light", "heavy"]


def test_what_is_too_much_is_refused_of_those_who_send_it_the_oldest_first() -> None:
    queue: FairQueue[str] = FairQueue()
    refused = [queue.put("flood", str(number), 10) for number in range(12)]
    assert refused == [None] * 10 + ["0", "1"]
    assert queue.put("quiet", "first", 10) is None
    assert queue.put("flood", "12", 10) == "2"
    assert len(queue) == 11


def test_accounts_that_owe_nothing_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(10_000):
        queue.put(f"account-{number}", "call", MOST)
        account, _, expected = queue.take() or ("", "", 0.0)
        queue.settle(account, expected=expected, spent=0.0)
    assert len(queue._accounts) < 200


def test_nothing_waits_in_an_empty_queue() -> None:
    assert FairQueue().take() is None


def test_accounts_are_passed_over_and_keep_their_place() -> None:
    queue: FairQueue[str] = FairQueue()
    for account in ("a", "b", "c", "a"):
        queue.put(account, f"of {account}", MOST)
    assert [taken[1] for taken in (queue.take({"a", "b"}), queue.take({"a"})) if taken is not None] == ["of c", "of b"]
    assert queue.take({"a"}) is None
    assert len(queue) == 2
    assert [taken[1] for taken in (queue.take(), queue.take()) if taken is not None] == ["of a", "of a"]
    assert queue.take() is None


def test_parts_of_an_account_are_served_in_turn_for_what_it_has() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.put("account", f"flood {number}", MOST, "192.0.2.1")
    for number in range(3):
        queue.put("account", f"own {number}", MOST)
        queue.put("other", f"other {number}", MOST)
    first = [taken[1] for _ in range(12) if (taken := queue.take()) is not None]
    assert sorted(first[:6]) == ["flood 0", "flood 1", "other 0", "other 1", "other 2", "own 0"]
    assert [name for name in first if name.startswith("own")] == ["own 0", "own 1", "own 2"]
    assert [name for name in first if name.startswith("flood")] == [f"flood {number}" for number in range(6)]
    assert len(queue) == 94


def test_of_parts_the_largest_is_refused() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.put("account", "own", 10)
    refused = [queue.put("account", f"flood {number}", 10, "192.0.2.1") for number in range(20)]
    assert [one for one in refused if one is not None] == [f"flood {number}" for number in range(11)]
    assert queue.put("account", "own again", 10) == "flood 11"


def test_of_parts_that_are_as_large_the_accounts_own_is_kept() -> None:
    """Whoever claims an account from many addresses has a part for each: they refuse one another."""
    queue: FairQueue[str] = FairQueue()
    queue.put("account", "own", 10)
    refused = [queue.put("account", f"flood {number}", 10, f"192.0.2.{number}") for number in range(40)]
    assert "own" not in refused
    assert queue.put("account", "own again", 10) == "own"
