"""Lists, a page at a time: nothing twice, nothing left out, and no marker but our own."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from sekisho.credentials.key_ring import PAGING, KeyRing
from sekisho.store import db, schema
from sekisho.store.paging import Cursor, InvalidMarker, page
from sekisho.store.tables import Account

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["B", "a", "b", "c", "É", "ß", "字", "d'e", 'f"g', "h%"]


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        schema.upgrade(made)
        with made.write(()) as session:
            session.add_all(Account(id=str(number), name=name, created_at=NOW) for number, name in enumerate(NAMES))
        yield made


def cursor_of(ring: KeyRing, scope: str) -> Cursor:
    """The cursor of a list whose markers this ring vouches for."""
    return Cursor(partial(ring.mac, PAGING), partial(ring.is_mac, PAGING), scope)


def names(database: db.Database, cursor: Cursor, marker: str = "", most: int = 0) -> tuple[list[str], str | None]:
    """The names of one page, ordered by name and id, and the marker of the next."""
    with database.read() as session:
        found = page(
            session,
            select(Account),
            cursor,
            key=(Account.name, Account.id),
            of=lambda row: (row.name, row.id),
            marker=marker,
            most=most,
        )
    return [row.name for row in found.rows], found.marker


@pytest.mark.parametrize("most", [1, 2, 3, 9, 10, 11, 1000])
def test_all_pages_together_are_the_list(database: db.Database, ring: KeyRing, most: int) -> None:
    cursor = cursor_of(ring, "accounts")
    seen, marker, pages = [], "", 0
    while True:
        rows, following = names(database, cursor, marker, most)
        assert 0 < len(rows) <= most
        seen += rows
        pages += 1
        if following is None:
            break
        marker = following
    assert seen == sorted(NAMES, key=str.encode)
    assert pages == -(-len(NAMES) // most)


def test_rows_that_come_and_go_between_two_pages_spoil_nothing(database: db.Database, ring: KeyRing) -> None:
    cursor = cursor_of(ring, "accounts")
    first, marker = names(database, cursor, most=3)
    assert first == ["B", "a", "b"]
    with database.write(()) as session:
        session.delete(session.get(Account, "2"))  # the row that the marker names
        session.add(Account(id="x", name="A", created_at=NOW))
        session.add(Account(id="y", name="bb", created_at=NOW))
    rest, _ = names(database, cursor, marker or "")
    assert rest == ["bb", "c", "d'e", 'f"g', "h%", "É", "ß", "字"]


def test_a_marker_is_good_for_its_own_list_alone(database: db.Database, ring: KeyRing, tmp_path: Path) -> None:
    cursor = cursor_of(ring, "ListUsers 111122223333 /")
    _, marker = names(database, cursor, most=3)
    assert marker is not None
    (tmp_path / "other").mkdir()
    for other in (
        cursor_of(ring, "ListUsers 444455556666 /"),
        cursor_of(ring, "ListRoles 111122223333 /"),
        cursor_of(ring, "ListUsers 111122223333 /dev/"),
        cursor_of(KeyRing.create(tmp_path / "other" / "keyring.json"), cursor.scope),
    ):
        with pytest.raises(InvalidMarker):
            names(database, other, marker)


def test_a_marker_cannot_be_made_or_changed(database: db.Database, ring: KeyRing) -> None:
    cursor = cursor_of(ring, "accounts")
    _, marker = names(database, cursor, most=3)
    assert marker is not None
    raw = base64.urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
    changed = [raw[:number] + bytes([raw[number] ^ 1]) + raw[number + 1 :] for number in range(len(raw))]
    texts = [base64.urlsafe_b64encode(data).decode().rstrip("=") for data in changed]
    for text in (*texts, "x", "AAAA", "é", marker[:-4], marker + "AAAA", base64.urlsafe_b64encode(b'["a","1"]').decode()):
        with pytest.raises(InvalidMarker) as caught:
            names(database, cursor, text)
        assert (caught.value.code, caught.value.reason) == ("ValidationError", "VALIDATION_ERROR")


def test_a_marker_of_before_a_rotation_is_good(database: db.Database, ring: KeyRing) -> None:
    cursor = cursor_of(ring, "accounts")
    _, marker = names(database, cursor, most=3)
    ring.rotate("paging")
    assert names(database, cursor, marker or "", most=1)[0] == ["c"]


def test_a_hundred_are_a_page_and_a_thousand_the_most(database: db.Database, ring: KeyRing) -> None:
    with database.write(()) as session:
        session.add_all(Account(id=f"n{number}", name=f"{number:05}", created_at=NOW) for number in range(1100))
    cursor = cursor_of(ring, "accounts")
    assert len(names(database, cursor)[0]) == 100
    assert len(names(database, cursor, most=5000)[0]) == 1000


def test_markers_fit_into_what_aws_takes(ring: KeyRing) -> None:
    assert len(cursor_of(ring, "x").marker(["u" * 128, "AIDA" + "A" * 17])) <= 320
