"""What was claimed in vain is not believed for a while."""

from sekisho.edges.doubts import MOST, SECONDS, Doubts


def test_a_claim_is_doubted_for_a_while_after_the_last_time_in_vain() -> None:
    now = [100.0]
    doubts = Doubts(lambda: now[0])
    doubts.note("111122223333", "192.0.2.1")
    assert doubts.hold("111122223333", "192.0.2.1")
    assert not doubts.hold("111122223333", "192.0.2.2")
    assert not doubts.hold("444455556666", "192.0.2.1")
    now[0] += SECONDS - 1
    doubts.note("111122223333", "192.0.2.1")
    now[0] += SECONDS - 1
    assert doubts.hold("111122223333", "192.0.2.1")
    now[0] += 1
    assert not doubts.hold("111122223333", "192.0.2.1")


def test_who_claims_no_account_is_not_doubted() -> None:
    doubts = Doubts()
    doubts.note("", "192.0.2.1")
    assert not doubts.hold("", "192.0.2.1")


def test_the_oldest_doubt_goes_when_there_are_too_many() -> None:
    doubts = Doubts(lambda: 0.0)
    for number in range(MOST):
        doubts.note(f"{number:012}", "192.0.2.1")
    doubts.note("000000000000", "192.0.2.1")
    doubts.note("111122223333", "192.0.2.1")
    assert doubts.hold("000000000000", "192.0.2.1")
    assert not doubts.hold("000000000001", "192.0.2.1")
    assert doubts.hold("000000000002", "192.0.2.1")
