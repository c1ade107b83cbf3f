"""The table of what answers have, read anew for tests: nothing here is shared with the gateway but the file."""

from pathlib import Path
from typing import Any, NamedTuple

import sekisho.edges.aws

FILE = Path(sekisho.edges.aws.__file__).with_name("presence.tsv")


class Row(NamedTuple):
    """A line of the table."""

    service: str
    operation: str
    member: str
    when: str
    source: str


def rows() -> list[Row]:
    """The lines below the head."""
    return [Row(*line.split("\t")) for line in FILE.read_text().splitlines()[1:]]


def members(service: str, operation: str, when: str) -> set[str]:
    """The paths of an operation's members with this word: `Policy.Tags`."""
    return {row.member for row in rows() if (row.service, row.operation, row.when) == (service, operation, when)}


def without_never(service: str, operation: str, value: Any) -> Any:
    """An answer without the members that the operation's answers never have."""
    never = members(service, operation, "never")

    def kept(inner: Any, path: str) -> Any:
        if isinstance(inner, dict):
            return {name: kept(held, f"{path}{name}.") for name, held in inner.items() if f"{path}{name}" not in never}
        return [kept(item, path) for item in inner] if isinstance(inner, list) else inner

    return kept(value, "")
