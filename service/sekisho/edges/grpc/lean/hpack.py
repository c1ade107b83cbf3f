"""Header blocks: what a client writes of the metadata of its calls, and what we write of ours. Source: RFC 7541.

A block that refers to entries of the tables alone is read once for each state of the dynamic one: clients send the same few again and
again. We write literals that enter no table, so nothing of an answer has to be remembered.
"""

from sekisho.edges.grpc.lean.huffman import HuffmanError, decoded

MAX_TABLE = 4096
"""Bytes of the dynamic table, which is what a client may take for granted."""
_ENTRY = 32  # bytes that are counted for each entry beside its name and value
_BLOCKS, _BLOCK = 4, 2048  # that are remembered of a connection, and their bytes

Field = tuple[str, str]
Fields = tuple[Field, ...]


class HpackError(ValueError):
    """The block cannot be read, and so no later one of the connection."""


STATIC: tuple[Field, ...] = (
    ("", ""), (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"), (":scheme", "http"),
    (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""), ("accept-encoding", "gzip, deflate"), ("accept-language", ""),
    ("accept-ranges", ""), ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
    ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""),
    ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
)  # fmt: skip
"""The static table; its entries are counted from 1 (Appendix A)."""
_FIRST = len(STATIC)


class Decoder:
    """Reads the blocks of one connection, in their order. A list of more bytes or entries than `most` is None."""

    def __init__(self, most_bytes: int, most_entries: int) -> None:
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._table: list[Field] = []  # the newest last
        self._size, self._limit = 0, MAX_TABLE
        self._known: dict[bytes, Fields | None] = {}

    def read(self, block: bytes) -> Fields | None:
        """The fields of a block, HpackError where it is none."""
        try:
            return self._known[block]
        except KeyError:
            pass
        try:
            moved, fields = self._read(block)
        except (IndexError, HuffmanError, UnicodeDecodeError) as error:
            raise HpackError(str(error)) from None
        if not moved and len(block) <= _BLOCK:
            if len(self._known) >= _BLOCKS:
                self._known.clear()
            self._known[block] = fields
        return fields

    def knows(self, block: bytes) -> bool:
        """True of a block that was read since the table moved last, and does not move it: to read it again changes nothing."""
        return block in self._known

    def _read(self, block: bytes) -> tuple[bool, Fields | None]:
        at, end, size, moved = 0, len(block), 0, False
        fields: list[Field] = []
        while at < end:
            first = block[at]
            if first & 0x80:  # an entry
                index, at = _number(block, at, 0x7F)
                field = self._entry(index)
            elif first & 0xE0 == 0x20:  # another size of the table
                if fields:
                    raise HpackError("a table is resized before the fields of a block alone")
                limit, at = _number(block, at, 0x1F)
                if limit > MAX_TABLE:
                    raise HpackError(f"a table of {limit} bytes")
                moved, self._limit = True, limit
                self._shrink(limit)
                continue
            else:
                kept = first & 0x40
                index, at = _number(block, at, 0x3F if kept else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _text(block, at)
                value, at = _text(block, at)
                field = (name, value)
                if kept:
                    moved = True
                    self._keep(field)
            size += len(field[0]) + len(field[1]) + _ENTRY
            if len(fields) < self._most_entries:
                fields.append(field)
            else:
                size = self._most_bytes + 1
        if moved:
            self._known.clear()
        return moved, tuple(fields) if size <= self._most_bytes else None

    def _entry(self, index: int) -> Field:
        if 0 < index < _FIRST:
            return STATIC[index]
        if not 0 <= index - _FIRST < len(self._table):
            raise HpackError(f"no entry {index}")
        return self._table[_FIRST - 1 - index]

    def _keep(self, field: Field) -> None:
        self._table.append(field)
        self._size += len(field[0]) + len(field[1]) + _ENTRY
        self._shrink(self._limit)

    def _shrink(self, limit: int) -> None:
        gone = 0
        while self._size > limit:
            name, value = self._table[gone]
            self._size -= len(name) + len(value) + _ENTRY
            gone += 1
        del self._table[:gone]


def _number(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """A number with a prefix of these bits, and where it ends (5.1)."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in (0, 7, 14, 21):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise HpackError("a number of more than 28 bits")


def _text(block: bytes, at: int) -> tuple[str, int]:
    huffman = block[at] & 0x80
    length, at = _number(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise HpackError("a text without an end")
    data = block[at:end]
    return (decoded(data) if huffman else data).decode("latin-1"), end


def literal(name: str, value: str) -> bytes:
    """A field that enters no table, as it is."""
    return b"\0" + _written(name.encode("ascii")) + _written(value.encode("ascii"))


def _written(data: bytes) -> bytes:
    size = len(data)
    if size < 127:
        return bytes((size,)) + data
    size -= 127
    head = bytearray(b"\x7f")
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + data
