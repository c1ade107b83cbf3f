"""The Huffman code of HPACK, read a byte at a time. Source: RFC 7541, 5.2 and Appendix B."""

from functools import lru_cache

_BY_LENGTH = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: bytes.fromhex("5cc3d0"),
    20: bytes.fromhex("808283a2b8c2e0e2"),
    21: bytes.fromhex("99a1a7acb0b1b3d1d8d9e3e5e6"),
    22: bytes.fromhex("8184858688929a9ca0a3a4a9aaadb2b5b9babbbdbec4c6e4e8e9"),
    23: bytes.fromhex("0187898a8b8c8d8f93959697989b9d9ea5a6a8aeafb4b6b7bcbfc5e7ef"),
    24: bytes.fromhex("098e9091949fabced7e1eced"),
    25: bytes.fromhex("c7cfeaeb"),
    26: bytes.fromhex("c0c1c8c9cacdd2d5dadbeef0f2f3ff"),
    27: bytes.fromhex("cbccd3d4d6dddedff1f4f5f6f7f8fafbfcfdfe"),
    28: bytes.fromhex("020304050607080b0c0e0f1011121314151718191a1b1c1d1e1f7fdcf9"),
    30: b"\n\r\x16",
}
"""Symbols by the bits of their codes, each in the order of its code: the code is canonical. The last one of 30 bits is the end, EOS."""


class HuffmanError(ValueError):
    """The bits are no text: they hold EOS, or end with more than seven bits or with others than ones."""


def _tree() -> tuple[list[list[int]], frozenset[int]]:
    """The inner nodes, each with what follows a 0 and a 1: another node, or `-1 - symbol`; and the nodes at which a text may end."""
    nodes: list[list[int]] = [[0, 0]]
    code = last = 0
    for length, symbols in _BY_LENGTH.items():
        code <<= length - last
        last = length
        for symbol in symbols:
            at = 0
            for bit in range(length - 1, 0, -1):
                side = code >> bit & 1
                if not nodes[at][side]:
                    nodes.append([0, 0])
                    nodes[at][side] = len(nodes) - 1
                at = nodes[at][side]
            nodes[at][code & 1] = -1 - symbol
            code += 1
    ends, at = {0}, 0
    for _ in range(7):  # of ones, which begin EOS
        at = nodes[at][1]
        ends.add(at)
    return nodes, frozenset(ends)


_NODES, _ENDS = _tree()


class _Steps(dict[int, tuple[int, bytes]]):
    """From a node and a byte (256 × node + byte): the next node, and the symbols that were complete; HuffmanError where EOS begins. Made
    when it is needed first: there are 65,000, of which texts take a few thousand.
    """

    def __missing__(self, at: int) -> tuple[int, bytes]:
        node, byte = at >> 8, at & 255
        made = bytearray()
        for bit in range(7, -1, -1):
            node = _NODES[node][byte >> bit & 1]
            if node < 0:
                made.append(-1 - node)
                node = 0
            elif node == 0:  # what no symbol begins with is EOS
                raise HuffmanError("EOS within a text")
        self[at] = node, bytes(made)
        return self[at]


_STEPS = _Steps()


@lru_cache(maxsize=1024)  # of tokens, which callers send with each call
def decoded(data: bytes) -> bytes:
    """The text; HuffmanError where it is none."""
    at, steps = 0, _STEPS
    parts = []
    for byte in data:
        at, part = steps[at << 8 | byte]
        parts.append(part)
    if at not in _ENDS:
        raise HuffmanError("the padding is not the beginning of EOS")
    return b"".join(parts)
