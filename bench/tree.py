"""The tree of `sekisho org tree` as an SVG of our own: a box for each unit and account, with what is attached to it.

`python -m bench.tree` draws the tree that stands on docs/organizations.md into docs/organization-tree.svg; a test holds the one against
the other, and the page against what the command prints.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "organizations.md", DOCS / "organization-tree.svg"

_ROW, _STEP, _BOX, _WIDTH = 34, 30, 26, 760
_LEFT, _TOP = 16, 52
_LINE = re.compile(r"(?P<indent>(?:[│ ]  )*)(?:[├└]─ )?(?P<name>.+?) (?P<id>\S+)(?P<state>(?: \([a-z ]+\))*)  \[(?P<attached>[^]]*)\]")
_FILL = {"root": ("#e8eef7", "#1f5fa8"), "unit": ("#eaf4ea", "#2e7d32"), "account": ("#fff", "#7f8c8d")}


@dataclass(frozen=True, slots=True)
class Node:
    """A line of the tree: how deep it hangs, what it is, and the policies that are attached."""

    depth: int
    kind: str
    name: str
    attached: tuple[str, ...]


def nodes(text: str) -> Iterator[Node]:
    """The lines of a tree but for the first, which says whose it is."""
    for line in text.splitlines()[1:]:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"`{line}` is no line of a tree")
        kind = "root" if found["id"].startswith("r-") else "unit" if found["id"].startswith("ou-") else "account"
        depth = 0 if kind == "root" else len(found["indent"]) // 3 + 1
        yield Node(depth, kind, found["name"] + found["state"], tuple(filter(None, found["attached"].split(", "))))


def drawn(text: str) -> str:
    """The SVG of a tree as the command prints it."""
    found = list(nodes(text))
    height = _TOP + _ROW * len(found) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>Units and accounts of an organization, with the policies that are attached to each</title>",
        '<g font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="30" font-size="14" font-weight="600">sekisho org tree</text>',
    ]
    for row, node in enumerate(found):
        lines += _branch(found, row)
        lines += _box(node, row)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _middle(row: int) -> float:
    return _TOP + _ROW * row + _BOX / 2


def _branch(found: Sequence[Node], row: int) -> Iterator[str]:
    """The line from a node to the one that it hangs in."""
    depth = found[row].depth
    if depth:
        above = max(at for at in range(row) if found[at].depth < depth)
        x = _LEFT + _STEP * (depth - 1) + 12
        yield f'<path d="M{x} {_middle(above) + _BOX / 2:g}V{_middle(row):g}H{_LEFT + _STEP * depth}" fill="none" stroke="#7f8c8d"/>'


def _box(node: Node, row: int) -> Iterator[str]:
    x, y = _LEFT + _STEP * node.depth, _TOP + _ROW * row
    fill, stroke = _FILL[node.kind]
    width = 16 + 7.6 * len(node.name)
    yield f'<rect x="{x}" y="{y}" width="{width:g}" height="{_BOX}" rx="5" fill="{fill}" stroke="{stroke}"/>'
    yield f'<text x="{x + 8}" y="{y + 17}">{escape(node.name)}</text>'
    at = x + width + 12
    for policy in node.attached:
        usual = policy.endswith(" FullAWSAccess")
        colour = "#7f8c8d" if usual else "#b3261e"
        weight = "" if usual else ' font-weight="600"'
        yield f'<text x="{at:g}" y="{y + 17}" font-size="12" fill="{colour}"{weight}>{escape(policy)}</text>'
        at += 14 + 7 * len(policy)


def on_page() -> str:
    """The tree that stands on the page."""
    found = re.search(r"^```text\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"there is no tree on {PAGE}")
    return found[1]


if __name__ == "__main__":
    PICTURE.write_text(drawn(on_page()))
    print(PICTURE)
