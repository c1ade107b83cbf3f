"""Who waits beside others gets the same share of the threads, whatever it sends."""

from collections import Counter

import pytest

from sekisho.edges.fair import FIRST, LEARNING, FairQueue

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


def taken(queue: FairQueue[str], *, spent: float | None = None, times: int = 1) -> list[str]:
    """Take so many, one after the other, and settle where it is said what each of them took."""
    works = []
    for _ in range(times):
        if (found := queue.take()) is not None:
            works.append(found[1])
            if spent is not None:
                queue.settle(found[0], expected=found[2], spent=spent)
    return works


def test_what_is_expected_of_an_account_follows_what_it_took() -> None:
    queue: FairQueue[str] = FairQueue()
    expected = FIRST
    for spent in (10.0, 0.0, 5.0):
        queue.put("a", "call", MOST)
        account, work, found = queue.take() or ("", "", 0.0)
        assert (account, work) == ("a", "call")
        assert found == pytest.approx(expected)
        queue.settle("a", expected=expected, spent=spent)
        expected += LEARNING * (spent - expected)
    assert queue._accounts["a"].time == pytest.approx(15.0)
    queue.settle("nobody", expected=1.0, spent=2.0)
    assert "nobody" not in queue._accounts


def test_an_account_is_charged_at_once_what_is_expected_of_it() -> None:
    """Threads that take one after the other, before any was measured, take turns."""
    queue: FairQueue[str] = FairQueue()
    for number in range(3):
        queue.put("a", f"a{number}", MOST)
    for number in range(3):
        queue.put("b", f"b{number}", MOST)
    assert taken(queue, times=7) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_who_comes_back_starts_where_the_queue_is() -> None:
    """Unless it owes more: what was spent is not forgotten by pausing."""
    queue: FairQueue[str] = FairQueue()
    for account, spent in (("late", 1.0), ("heavy", 50.0)):
        queue.put(account, account, MOST)
        assert taken(queue, spent=spent) == [account]
    for _ in range(9):
        queue.put("busy", "busy", MOST)
    assert taken(queue, spent=1.0, times=5) == ["busy"] * 5
    now = queue._now
    assert 1.0 < now < 50.0
    for _ in range(2):  # the second finds it waiting, and moves nothing
        for account in ("heavy", "late"):
            queue.put(account, account, MOST)
        assert queue._accounts["late"].time == now
        assert queue._accounts["heavy"].time == pytest.approx(50.0)
        assert len(queue._next) == 3
    assert taken(queue) == ["late"]


def test_the_time_of_a_queue_goes_on_only() -> None:
    """Whoever was charged less than was expected has a time before that of the queue, which stays."""
    queue: FairQueue[str] = FairQueue()
    for account in ("a", "b"):
        queue.put(account, account, MOST)
    assert taken(queue, spent=5.0, times=2) == ["a", "b"]
    queue.put("a", "a", MOST)
    assert taken(queue, spent=-3.0) == ["a"]
    now = queue._now
    assert now == pytest.approx(5.0)
    queue._accounts["a"].time, queue._next = 1.0, [(1.0, 9, "a")]
    queue._accounts["a"].put("", "again")
    assert taken(queue) == ["again"]
    assert queue._now == now


def test_who_waits_beside_others_may_have_its_share_of_what_waits() -> None:
    queue: FairQueue[str] = FairQueue()
    assert [queue.put("a", f"a{number}", 4) for number in range(3)] == [None] * 3
    assert queue.put("b", "b0", 4) is None
    assert queue.put("b", "b1", 4) is None  # all that may wait do, but two are its share
    assert queue.put("b", "b2", 4) == "b0"
    assert queue.put("a", "a3", 4) == "a0"
    assert (len(queue), queue._accounts["a"].number, queue._accounts["b"].number) == (5, 3, 2)


def test_nothing_is_refused_while_there_is_room() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.put("b", "b0", 10)
    assert [queue.put("a", str(number), 10) for number in range(9)] == [None] * 9
    assert queue.put("a", "9", 10) == "0"
    assert taken(queue, times=11) == ["b0", *(str(number) for number in range(1, 10))]


def test_of_those_who_are_as_far_the_first_is_served_first() -> None:
    queue: FairQueue[str] = FairQueue()
    for account in "cab":
        queue.put(account, account, MOST)
    assert taken(queue, times=3) == ["c", "a", "b"]


@pytest.mark.parametrize("accounts", [2, 3, 10])
def test_one_call_of_each_account_may_wait(accounts: int) -> None:
    queue: FairQueue[str] = FairQueue()
    assert [queue.put(str(number), "first", 2) for number in range(accounts)] == [None] * accounts
    assert queue.put("0", "second", 2) == "first"
    assert len(queue) == accounts


def test_work_is_counted_by_account_and_by_part() -> None:
    queue: FairQueue[str] = FairQueue()
    for number, part in enumerate("xyx"):
        queue.put("a", str(number), MOST, part)
    found = queue._accounts["a"]
    assert (len(queue), found.number, {part: list(works) for part, works in found.parts.items()}) == (3, 3, {"x": ["0", "2"], "y": ["1"]})
    assert taken(queue, times=3) == ["0", "1", "2"]
    assert (len(queue), found.number, found.parts) == (0, 0, {})


def test_a_part_goes_behind_the_others_when_it_was_served() -> None:
    queue: FairQueue[str] = FairQueue()
    for part in "xxyyzz":
        queue.put("a", part, MOST, part)
    assert taken(queue, times=6) == ["x", "y", "z", "x", "y", "z"]


@pytest.mark.parametrize(
    ("parts", "refused"),
    [
        (("", "x"), "x"),  # as large: the account's own is kept
        (("x", ""), "x"),
        (("", "", "x"), ""),
        (("", "x", "x"), "x"),
        (("x", "x", "y"), "x"),
        (("x", "y", "y"), "y"),
        (("", "x", "y"), "x"),
        (("x",), "x"),
    ],
)
def test_the_part_of_which_work_is_refused(parts: tuple[str, ...], refused: str) -> None:
    queue: FairQueue[str] = FairQueue()
    for part in parts[:-1]:
        queue.put("a", f"of {part}", MOST, part)
    most = len(parts) - 1
    assert queue.put("a", f"of {parts[-1]}", most, parts[-1]) == (f"of {refused}" if most else None)


def test_who_owes_is_not_forgotten_and_who_waits_neither() -> None:
    """Sixty-four accounts more than twice those that wait are kept: to look for them costs something."""
    queue: FairQueue[str] = FairQueue()
    queue.put("owes", "call", MOST)
    assert taken(queue, spent=50.0) == ["call"]
    queue.put("waits", "call", MOST)
    numbers = []
    for number in range(70):
        queue.put(f"{number}", "call", MOST)
        account, _, expected = queue.take({"waits"}) or ("", "", 0.0)
        queue.settle(account, expected=expected, spent=0.0)
        numbers.append(len(queue._accounts))
    assert numbers[:64] == list(range(3, 67))
    assert numbers[64:] == [3, 4, 5, 6, 7, 8]
    assert {"waits", "owes"} < set(queue._accounts)
