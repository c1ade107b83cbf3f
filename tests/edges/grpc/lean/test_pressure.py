"""How many calls clients are told that they may have under way, while some of theirs are refused and afterwards."""

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.pressure import Pressure
from tests.edges.grpc import frames
from tests.edges.grpc.lean.test_connection import PATH, Heard, call, opened, told


def connections(count: int) -> list[Connection]:
    """Such that have said their settings."""
    found = [opened(Heard()) for _ in range(count)]
    for one in found:
        told(one)
    return found


def settings(made: Connection) -> list[int]:
    """The numbers of calls that its client was told since the last look."""
    return [
        int.from_bytes(body[2:]) for kind, flags, _, body in told(made) if kind == ours.SETTINGS and not flags and body[1] == ours.STREAMS
    ]


def test_those_whose_calls_are_refused_share_what_may_be_under_way() -> None:
    pressure, found = Pressure(), connections(41)
    for one in found[:40]:
        pressure.press(one)
    assert [settings(one) for one in (found[0], found[9], found[10], found[39], found[40])] == [[], [], [90], [25], []]
    pressure.press(found[0])
    assert settings(found[0]) == [25]
    pressure.press(found[0])
    assert settings(found[0]) == []


def test_each_has_a_few_however_many_they_are() -> None:
    pressure, found = Pressure(), connections(300)
    for one in found:
        pressure.press(one)
    assert found[-1].allowed == 5


def test_who_is_refused_no_more_has_twice_as_many_at_each_look() -> None:
    pressure, found = Pressure(), connections(40)
    for one in found:
        pressure.press(one)
    told(found[-1])
    pressure.ease(found)
    assert settings(found[-1]) == []
    seen = []
    for _ in range(4):
        pressure.ease(found)
        seen += settings(found[-1])
    assert seen == [50, 100]


def test_calls_that_a_client_began_before_it_heard_are_taken() -> None:
    heard = Heard()
    made = opened(heard)
    made.allow(5)
    made.feed(b"".join(call(stream, block=frames.opening(PATH)) for stream in range(1, 200, 2)))
    assert len(heard.calls) == 100
    assert not [one for one in told(made) if one[0] == ours.RESET]
