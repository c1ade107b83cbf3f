"""How many connections a listener has, of everybody and of each address."""

from sekisho.edges.http.connections import Crowd


def test_a_crowd_knows_its_number_without_counting() -> None:
    crowd = Crowd()
    assert crowd.total == 0
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        crowd.enter(address)
    assert (crowd.total, crowd.of("192.0.2.1"), crowd.of("192.0.2.2"), crowd.of("192.0.2.3")) == (3, 2, 1, 0)
    crowd.leave("192.0.2.1")
    crowd.leave("192.0.2.2")
    assert (crowd.total, crowd.of("192.0.2.1"), crowd.of("192.0.2.2")) == (1, 1, 0)
    crowd.leave("192.0.2.1")
    assert (crowd.total, crowd._of) == (0, {})  # and nothing is kept of who is gone
