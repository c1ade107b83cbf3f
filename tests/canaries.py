"""Secrets that are sent or answered, and the search of everything that a server has written for them.

A field is a secret when its proto says `debug_redact`, unless it is known to be something personal, which the database holds as it is.
"""

import base64
import gzip
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from sqlalchemy import NullPool, create_engine, text

from sekisho.operations import OPERATIONS, Operation

PERSONAL = ("sekisho.api.account.", "sekisho.api.organizations.")
"""Packages whose redacted fields are names, addresses and notes."""

SHORTEST = 12
"""Characters of what is searched for: one-time codes are shorter, end after a minute, and would be found by chance."""

ALLOWED = ("credentials", "keyring.json")
"""Files of a data directory that have secrets by their purpose."""


def is_secret(field: FieldDescriptor) -> bool:
    """True of a field that nothing that is written may hold in clear."""
    return field.GetOptions().debug_redact and not field.full_name.startswith(PERSONAL)


def has_secret(message: Any, seen: tuple[str, ...] = ()) -> bool:
    """True of a message with a secret at any depth."""
    if message.full_name in seen:
        return False
    inner = (*seen, message.full_name)
    return any(is_secret(one) or (one.message_type is not None and has_secret(one.message_type, inner)) for one in message.fields)


def operations(*, answering: bool) -> list[Operation]:
    """Those whose request has a secret, or whose answer has."""
    found = [one for one in OPERATIONS.values() if has_secret((one.response if answering else one.request).DESCRIPTOR)]
    return sorted(found, key=lambda one: one.path)


def secrets_of(message: Message) -> Iterator[bytes]:
    """The secrets that a message has."""
    for field, value in message.ListFields():
        values = list(value) if field.is_repeated else [value]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            values = list(value.values()) if is_secret(field) else []
        for one in values:
            if isinstance(one, Message):
                yield from secrets_of(one)
            elif is_secret(field):
                yield one if isinstance(one, bytes) else str(one).encode()


class Canaries:
    """Secrets that were sent or answered, each with where."""

    def __init__(self) -> None:
        self.sent: dict[bytes, str] = {}
        self._forms: dict[bytes, tuple[tuple[str, bytes], ...]] = {}
        """Of each secret, as it is written in other ways: made once, and looked for in every file."""

    def take(self, where: str, *values: str | bytes | None) -> None:
        """Remember secrets. Of one with several lines its longest is searched for, since lines are often broken otherwise."""
        for value in values:
            if value:
                line = max((value if isinstance(value, bytes) else value.encode()).split(b"\n"), key=len)
                if len(line) >= SHORTEST:
                    self.sent.setdefault(line, where)

    def new(self, where: str, *, before: str = "") -> str:
        """A secret that nothing else is."""
        made = f"{before}canary{secrets.token_hex(12)}"
        self.take(where, made)
        return made

    def found_in(self, name: str, content: bytes) -> list[str]:
        """What of it stands in some bytes, as it is or as bytes are often written."""
        for value in self.sent.keys() - self._forms.keys():
            self._forms[value] = tuple(_forms(value))
        return [f"{name}: {where} ({form})" for value, where in self.sent.items() for form, part in self._forms[value] if part in content]

    def search(self, *folders: Path, url: str = "") -> list[str]:
        """What of it stands in the files of folders, packed ones opened, and in the rows of a database on PostgreSQL."""
        found = []
        for folder in folders:
            for path in sorted(one for one in folder.rglob("*") if one.is_file() and one.name not in ALLOWED):
                for content in _opened(path):
                    found += self.found_in(str(path.relative_to(folder)), content)
        if url.startswith("postgresql"):
            for table, content in _rows(url):
                found += self.found_in(f"table {table}", content)
        return found


def _forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "clear", value
    yield "hexadecimal", value.hex().encode()
    yield "percent", quote(value, safe="").encode()
    for skipped in range(3):  # base64 of something that it stands in: where it begins is one of three places
        inner = base64.b64encode(b"\0" * skipped + value)[4 if skipped else 0 : -4]
        yield "base64", inner
        yield "base64url", inner.replace(b"+", b"-").replace(b"/", b"_")
    yield "reversed", value[::-1]


def _opened(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if content[:8] == b"SEKISHO1":
        yield zlib.decompress(content[76:])


def _rows(url: str) -> Iterator[tuple[str, bytes]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        names = list(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
        for name in names:
            rows: list[Any] = list(connection.execute(text(f'SELECT * FROM "{name}"')))
            yield name, b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
