"""What was claimed in vain is not believed for a while."""

from sekisho.edges.doubts import MOST, PARTS, SECONDS, Doubts


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


def test_many_addresses_have_few_parts_of_a_share() -> None:
    """Each the same one for as long as it is doubted; the account's own is none of them."""
    doubts, addresses = Doubts(lambda: 0.0), [f"192.0.2.{number}" for number in range(200)]
    for address in addresses:
        doubts.note("111122223333", address)
    parts = [doubts.part("111122223333", address) for address in addresses]
    assert parts == [doubts.part("111122223333", address) for address in addresses]
    assert len(set(parts)) == PARTS
    assert "" not in parts
    assert doubts.part("111122223333", "198.51.100.7") == doubts.part("444455556666", addresses[0]) == ""
