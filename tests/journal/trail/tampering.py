"""Ways to change a dump of a trail, at random: as one who can write every row, and has neither the key ring nor what was published."""

import random
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sekisho.credentials.envelopes import Key
from sekisho.journal.trail import chain

EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "audit_records": chain.COLUMNS,
    "trail_links": ("ordinal", "account_id", "sequence", "record_id", "hash"),
    "trail_anchors": ("account_id", "sequence", "ordinal", "hash", "at", "seal"),
    "trail_checkpoints": ("number", "content", "signature"),
    "trail_resources": ("account_id", "name", "ordinal", "type"),
    "trail_keys": ("public_key",),
}
"""The columns that are evidence. When a checkpoint was made or published, and how long a key signs, is said of them and proves nothing."""

Way = Callable[[sqlite3.Connection, random.Random], bool]
"""Changes the dump; False where there was nothing to change in that way."""


def edit(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """Another value in one column of one row."""
    table = chance.choices(list(EVIDENCE), weights=(20, 10, 3, 4, 2, 1))[0]
    rows = dump.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
    if not rows:
        return False
    column = chance.choice(EVIDENCE[table])
    row = chance.choice(rows)[0]
    (before,) = dump.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
    after = other(before, column, chance)
    if after == before:
        return False
    try:
        dump.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (after, row))
    except sqlite3.IntegrityError:
        return False  # the database itself refuses it
    return True


def other(value: Any, column: str, chance: random.Random) -> Any:
    """Some other value of the same kind."""
    if column in ("at", "last_at"):
        return f"2026-05-{chance.randrange(1, 29):02} 01:02:03.{chance.randrange(10**6):06}"
    if column == "read_only":
        return 1 - int(value)
    if isinstance(value, int):
        return max(0, value + chance.choice((-1, 1, 2, 1000)))
    if isinstance(value, bytes):
        return _bent(value, chance)
    if value is None:
        return 3 if column in ("revision", "spooled") else "x"
    return _bent(value.encode(), chance).decode("utf-8", "replace") if value else "x"


def _bent(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value))
    return chance.choice((value[:at] + value[at + 1 :], value[:at] + b"7" + value[at + 1 :], value[:at] + b"7" + value[at:]))


def delete_record(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """A record, and perhaps its link, is gone."""
    ordinal, record = _some(dump, chance)
    dump.execute("DELETE FROM audit_records WHERE id = ?", (record,))
    if chance.random() < 0.7:
        dump.execute("DELETE FROM trail_links WHERE ordinal = ?", (ordinal,))
        dump.execute("DELETE FROM trail_resources WHERE ordinal = ?", (ordinal,))
    return True


def delete_and_close_up(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """A record is gone, and what comes after it moves up: sequences, ordinals, numbers."""
    ordinal, record = _some(dump, chance)
    account, sequence = dump.execute("SELECT account_id, sequence FROM trail_links WHERE ordinal = ?", (ordinal,)).fetchone()
    revision, spooled = dump.execute("SELECT revision, spooled FROM audit_records WHERE id = ?", (record,)).fetchone()
    dump.execute("DELETE FROM audit_records WHERE id = ?", (record,))
    dump.execute("DELETE FROM trail_links WHERE ordinal = ?", (ordinal,))
    dump.execute("DELETE FROM trail_resources WHERE ordinal = ?", (ordinal,))
    moves = (
        ("trail_links", "sequence", f"account_id = '{account}' AND sequence > {sequence}"),
        ("trail_links", "ordinal", f"ordinal > {ordinal}"),
        ("trail_resources", "ordinal", f"ordinal > {ordinal}"),
        ("audit_records", "revision", f"revision > {revision}")
        if spooled is None
        else ("audit_records", "spooled", f"spooled > {spooled}"),
    )
    for table, column, which in moves:
        dump.execute(f"UPDATE {table} SET {column} = -{column} WHERE {which}")
        dump.execute(f"UPDATE {table} SET {column} = -{column} - 1 WHERE {column} < 0")
    dump.execute("UPDATE trail_cursors SET position = position - 1 WHERE name = 'sealer'")
    if spooled is None:
        dump.execute("DELETE FROM revisions WHERE number = (SELECT max(number) FROM revisions)")
    return True


def delete_beginning(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """An account's chain begins later, and its anchor says so."""
    account, sequence, ordinal, hash_ = _link(dump, chance)
    dump.execute(
        "DELETE FROM audit_records WHERE id IN (SELECT record_id FROM trail_links WHERE account_id = ? AND sequence <= ?)",
        (account, sequence),
    )
    dump.execute("DELETE FROM trail_links WHERE account_id = ? AND sequence <= ?", (account, sequence))
    dump.execute("DELETE FROM trail_resources WHERE account_id = ? AND ordinal <= ?", (account, ordinal))
    seal = dump.execute("SELECT seal FROM trail_anchors").fetchone()
    dump.execute("DELETE FROM trail_anchors WHERE account_id = ?", (account,))
    values = (account, sequence, ordinal, hash_, "2026-05-05 00:00:00.000000", seal[0] if seal else hash_)
    dump.execute("INSERT INTO trail_anchors (account_id, sequence, ordinal, hash, at, seal) VALUES (?, ?, ?, ?, ?, ?)", values)
    return True


def delete_account(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """All of an account is gone."""
    account, *_ = _link(dump, chance)
    for table in ("audit_records", "trail_links", "trail_anchors", "trail_resources"):
        dump.execute(f"DELETE FROM {table} WHERE account_id = ?", (account,))
    return True


def swap(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """Two records, or two links, change places."""
    one, two = _some(dump, chance), _some(dump, chance)
    if one == two:
        return False
    columns = chance.choice((("record_id",), ("hash",), ("record_id", "hash"), ("account_id", "sequence"), ("ordinal",)))
    for column in columns:
        values = [dump.execute(f"SELECT {column} FROM trail_links WHERE ordinal = ?", (at,)).fetchone()[0] for at, _ in (one, two)]
        if values[0] == values[1]:
            return False
        ids = [dump.execute("SELECT rowid FROM trail_links WHERE ordinal = ?", (at,)).fetchone()[0] for at, _ in (one, two)]
        unlikely = -1 if isinstance(values[0], int) else "-"
        if column == "ordinal":  # the row's own number
            dump.execute("UPDATE trail_links SET ordinal = -1 WHERE ordinal = ?", (values[0],))
            dump.execute("UPDATE trail_links SET ordinal = ? WHERE ordinal = ?", (values[0], values[1]))
            dump.execute("UPDATE trail_links SET ordinal = ? WHERE ordinal = -1", (values[1],))
            continue
        try:
            for row, value in ((ids[0], unlikely), (ids[1], values[0]), (ids[0], values[1])):
                dump.execute(f"UPDATE trail_links SET {column} = ? WHERE rowid = ?", (value, row))
        except sqlite3.IntegrityError:
            return False
    return True


def swap_contents(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """Two records of one account get each other's name, time or place."""
    one, two = (_some(dump, chance)[1] for _ in range(2))
    column = chance.choice(("event_name", "at", "request", "spooled", "revision"))
    first, second = (dump.execute(f"SELECT {column} FROM audit_records WHERE id = ?", (id_,)).fetchone()[0] for id_ in (one, two))
    if first == second:
        return False
    dump.execute(f"UPDATE audit_records SET {column} = NULL WHERE id = ?", (one,)) if column in ("spooled", "revision") else None
    dump.execute(f"UPDATE audit_records SET {column} = ? WHERE id = ?", (first, two))
    dump.execute(f"UPDATE audit_records SET {column} = ? WHERE id = ?", (second, one))
    return True


def insert(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """A made-up record: with a number that was given long ago, and with a link at the end or without one."""
    _, record = _some(dump, chance)
    names = ", ".join(column for column in chain.COLUMNS if column not in ("id", "revision", "spooled"))
    (newest,) = dump.execute("SELECT max(ordinal) FROM trail_links").fetchone()
    linked = chance.random() < 0.5
    number = chance.randrange(1, 5) if not linked else dump.execute("SELECT max(revision) + 1 FROM audit_records").fetchone()[0]
    dump.execute(
        f"INSERT INTO audit_records (id, revision, spooled, {names}) SELECT 'forged', ?, NULL, {names} FROM audit_records WHERE id = ?",
        (number, record),
    )
    if linked:
        account, sequence, _, hash_ = _link(dump, chance, last=True)
        values = (newest + 1, account, sequence + 1, "forged", hash_)
        dump.execute("INSERT INTO trail_links (ordinal, account_id, sequence, record_id, hash) VALUES (?, ?, ?, ?, ?)", values)
        dump.execute("UPDATE audit_records SET account_id = ? WHERE id = 'forged'", (account,))
        dump.execute("UPDATE trail_cursors SET position = ? WHERE name = 'sealer'", (newest + 1,))
        dump.execute("INSERT INTO revisions (number, nonce, committed_at) VALUES (?, 'f', '2026-05-05 00:00:00.000000')", (number,))
    return True


def truncate(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """The end is gone, as if it had never been: records, links, revisions, checkpoints, cursors."""
    (newest,) = dump.execute("SELECT max(ordinal) FROM trail_links").fetchone()
    keep = newest - chance.randrange(1, min(40, newest))
    dump.execute("DELETE FROM audit_records WHERE id IN (SELECT record_id FROM trail_links WHERE ordinal > ?)", (keep,))
    dump.execute("DELETE FROM trail_links WHERE ordinal > ?", (keep,))
    dump.execute("DELETE FROM trail_resources WHERE ordinal > ?", (keep,))
    dump.execute("DELETE FROM trail_checkpoints WHERE ordinal > ?", (keep,))
    dump.execute("DELETE FROM revisions WHERE number > (SELECT coalesce(max(revision), 0) FROM audit_records)")
    dump.execute("UPDATE trail_cursors SET position = ? WHERE name = 'sealer'", (keep,))
    return True


def rewrite(dump: sqlite3.Connection, chance: random.Random) -> bool:
    """A record is changed, and every link from there on is made anew, with a key of the forger's own."""
    account, sequence, _, _ = _link(dump, chance)
    links = "SELECT ordinal, sequence, record_id, hash FROM trail_links WHERE account_id = ? AND sequence >= ? ORDER BY sequence"
    rows = dump.execute(links, (account, sequence)).fetchall()
    dump.execute("UPDATE audit_records SET event_name = 'GetUser' WHERE id = ?", (rows[0][2],))
    before = dump.execute("SELECT hash FROM trail_links WHERE account_id = ? AND sequence = ?", (account, sequence - 1)).fetchone()
    hash_ = before[0] if before else ""
    columns = ", ".join(chain.COLUMNS)
    for ordinal, at, record, old in rows:
        said = dict(
            zip(chain.COLUMNS, dump.execute(f"SELECT {columns} FROM audit_records WHERE id = ?", (record,)).fetchone(), strict=True)
        )
        said["read_only"] = bool(said["read_only"])
        said["at"] = said["at"].replace(" ", "T") + "+00:00"
        hash_ = chain.link(Key.derived(chain.key_id(old), bytes(32)), hash_, account, at, ordinal, said)
        dump.execute("UPDATE trail_links SET hash = ? WHERE ordinal = ?", (hash_, ordinal))
    return True


WAYS: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        edit,
        delete_record,
        delete_and_close_up,
        delete_beginning,
        delete_account,
        swap,
        swap_contents,
        insert,
        truncate,
        rewrite,
    )
}


def _some(dump: sqlite3.Connection, chance: random.Random) -> tuple[int, str]:
    """The ordinal and the record of a link."""
    rows = dump.execute("SELECT ordinal, record_id FROM trail_links ORDER BY ordinal").fetchall()
    found: tuple[int, str] = chance.choice(rows)
    return found


def _link(dump: sqlite3.Connection, chance: random.Random, *, last: bool = False) -> tuple[str, int, int, str]:
    """Account, sequence, ordinal and hash of a link; of an account's last one."""
    rows = dump.execute("SELECT account_id, sequence, ordinal, hash FROM trail_links ORDER BY ordinal").fetchall()
    found: tuple[str, int, int, str] = chance.choice(rows)
    if last:
        found = max(row for row in rows if row[0] == found[0])
    return found
