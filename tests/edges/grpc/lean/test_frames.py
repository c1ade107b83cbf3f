"""Frames as bytes, and settings."""

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean import settings
from sekisho.edges.grpc.lean.stream import Ended, unpadded
from tests.edges.grpc import frames

WRITTEN: dict[str, tuple[bytes, bytes]] = {
    "a frame without a payload": (ours.frame(6, 1, 0), bytes.fromhex("000000 06 01 00000000")),
    "a frame of 65,793 bytes": (ours.frame(0, 9, 0x7FFFFFFF, bytes(65_793)), bytes.fromhex("010101 00 09 7fffffff") + bytes(65_793)),
    "settings": (ours.settings({3: 100, 6: 16_384}), bytes.fromhex("00000c 04 00 00000000 0003 00000064 0006 00004000")),
    "a window": (ours.window(5, 70_000), bytes.fromhex("000004 08 00 00000005 00011170")),
    "a reset": (ours.reset(7, 11), bytes.fromhex("000004 03 00 00000007 0000000b")),
    "the end of a connection": (ours.goaway(9, 2, b"why"), bytes.fromhex("00000b 07 00 00000000 00000009 00000002") + b"why"),
    "the end of a connection, without words": (ours.goaway(9, 2), bytes.fromhex("000008 07 00 00000000 00000009 00000002")),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_bytes_of_a_frame(case: str) -> None:
    found, expected = WRITTEN[case]
    assert found == expected


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 50_000])
@pytest.mark.parametrize("flags", [0, ours.END_STREAM])
def test_a_header_block_has_as_many_frames_as_it_takes(size: int, flags: int) -> None:
    """The end of the stream is said by the first, the end of the block by the last."""
    fields = bytes(at % 251 for at in range(size))
    assert ours.block(3, fields, flags) == frames.headers(3, fields, flags=flags)


def test_a_number_has_31_bits() -> None:
    assert [ours.number(bytes.fromhex(text)) for text in ("00000001", "7fffffff", "80000000", "ffffffff")] == [1, 2**31 - 1, 0, 2**31 - 1]


@pytest.mark.parametrize(
    ("flags", "payload", "skipped", "left"),
    [
        (0, b"abc", 0, b"abc"),
        (ours.PADDED, b"\x00abc", 0, b"abc"),
        (ours.PADDED, b"\x02abcde", 0, b"abc"),
        (ours.PADDED, b"\x03abc", 0, b""),
        (ours.PRIORITIZED, b"12345abc", 5, b"abc"),
        (ours.PRIORITIZED, b"12345", 5, b""),
        (ours.PADDED | ours.PRIORITIZED, b"\x0212345abc\0\0", 5, b"abc"),
        (ours.PADDED | ours.PRIORITIZED, b"\x0212345\0\0", 5, b""),
    ],
)
def test_what_is_left_without_padding(flags: int, payload: bytes, skipped: int, left: bytes) -> None:
    assert unpadded(flags, payload, skipped) == left


@pytest.mark.parametrize(
    ("flags", "payload", "skipped", "said"),
    [
        (ours.PADDED, b"", 0, "more padding than payload"),
        (ours.PADDED, b"\x01", 0, "more padding than payload"),
        (ours.PADDED, b"\x04abc", 0, "more padding than payload"),
        (ours.PRIORITIZED, b"1234", 5, "less payload than there must be"),
        (ours.PADDED | ours.PRIORITIZED, b"\x0112345", 5, "less payload than there must be"),
    ],
)
def test_padding_that_cannot_be(flags: int, payload: bytes, skipped: int, said: str) -> None:
    with pytest.raises(Ended, match=f"^{said}$") as ended:
        unpadded(flags, payload, skipped)
    assert ended.value.code == ours.PROTOCOL


def setting(name: int, value: int) -> bytes:
    return name.to_bytes(2) + value.to_bytes(4)


def test_windows_are_told_in_their_order() -> None:
    said = setting(4, 10) + setting(1, 0) + setting(4, 0) + setting(3, 7) + setting(4, 2**31 - 1)
    assert list(settings.windows(said)) == [10, 0, 2**31 - 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [(2, 0), (2, 1), (3, 0), (5, 16_384), (5, 2**24 - 1), (6, 0), (6, 2**32 - 1), (1, 2**32 - 1), (7, 5), (0xFFFF, 2**32 - 1)],
)
def test_settings_that_may_be(name: int, value: int) -> None:
    assert list(settings.windows(setting(name, value))) == []


@pytest.mark.parametrize(
    ("payload", "code", "said"),
    [
        (b"\0\4\0\0\0", ours.SIZE, "settings of another size"),
        (setting(4, 1) + b"\0", ours.SIZE, "settings of another size"),
        (setting(4, 2**31), ours.FLOW, "a window is too large"),
        (setting(5, 16_383), ours.PROTOCOL, "a setting has no such value"),
        (setting(5, 2**24), ours.PROTOCOL, "a setting has no such value"),
        (setting(2, 2), ours.PROTOCOL, "a setting has no such value"),
    ],
)
def test_settings_that_may_not_be(payload: bytes, code: int, said: str) -> None:
    with pytest.raises(Ended, match=f"^{said}$") as ended:
        list(settings.windows(payload))
    assert ended.value.code == code


def test_a_smaller_table_than_all_have() -> None:
    said = [settings.shrinks(setting(name, value)) for name, value in ((1, 0), (1, 4095), (1, 4096), (1, 2**32 - 1), (3, 0))]
    assert said == [True, True, False, False, False]
    assert settings.shrinks(setting(3, 5) + setting(1, 100) + setting(6, 5))
