"""Dumps of a trail are changed at random, and every change is found: `python -m tests.journal.trail.campaign --count 10000`."""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.progress import track

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import checkpoints, evidence
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.faults import Report
from sekisho.store import db
from tests import sqlite
from tests.journal.trail.records import NOW, Trail, made
from tests.journal.trail.tampering import WAYS

ACCOUNTS = "111122223333", "444455556666", "777788889999"


@dataclass(frozen=True, slots=True)
class Dump:
    """A database of SQLite, and what is kept outside it."""

    file: Path
    witness: Witness

    def verified(self, file: Path | None = None) -> Report:
        """The findings of a verification of it, or of a copy."""
        with db.Database(f"sqlite:///{file or self.file}") as database:
            return evidence.of_database(database, self.witness, Wanted())


def dump(folder: Path, records: int, *, kept_from: int = 0) -> Dump:
    """A trail with so many records, a checkpoint after every fifth part, and a rotation of the key in the middle."""
    ring = KeyRing.create(folder / "keyring.json")
    (folder / "published").mkdir()
    url = sqlite.migrated(folder / "dump.db")
    with db.Database(url) as database:
        trail = Trail(database, ring)
        publish = [checkpoints.folder(folder / "published")]
        for part in range(5):
            trail.now = NOW + timedelta(minutes=10 * part)
            for number in range(records // 5):
                name = f"r-{part}-{number}"
                arn = f"arn:aws:iam::{ACCOUNTS[number % 3]}:user/{name}"
                record = made(name, ACCOUNTS[number % 3], at=trail.now + timedelta(seconds=number), username=name)
                record["resources"] = f'[{{"ARN": "{arn}", "type": "AWS::IAM::User"}}]'
                (trail.write if number % 2 else trail.spool)(record)
            trail.seal()
            made_by = Checkpoints(database, ring, publish=publish, now=lambda: trail.now)
            made_by.once()
            made_by.publish()
            if part == 2:
                ring.rotate("trail")
    return Dump(folder / "dump.db", Witness(ring, folder / "published"))


def tampered(original: Dump, way: str, seed: str, copy: Path) -> Report | None:
    """The findings in a copy that was changed in some way; None where that way had nothing to change."""
    shutil.copyfile(original.file, copy)
    for beside in ("-wal", "-shm"):
        Path(f"{copy}{beside}").unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as connection, connection:
        if not WAYS[way](connection, random.Random(seed)):
            return None
    return original.verified(copy)


def settled(original: Dump) -> Dump:
    """The dump in one file, without a journal beside it."""
    with closing(sqlite3.connect(original.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return original


def missed(original: Dump, count: int, seed: int, copy: Path) -> tuple[list[str], Counter[str]]:
    """The changes, of so many, that nobody would have noticed; and how many there were of each way."""
    names, found, done, number = list(WAYS), [], Counter[str](), 0
    for _ in track(range(count), "changing dumps", disable=not sys.stderr.isatty()):
        report = None
        while report is None:
            number += 1
            way = names[number % len(names)] if number % 3 else "edit"
            report = tampered(original, way, f"{seed}-{number}", copy)
        done[way] += 1
        if report.whole:
            found.append(f"{way} {seed}-{number}")
    return found, done


def main() -> None:
    """Say how many changes were made, and which were not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        original = settled(dump(Path(folder), 60))
        assert original.verified().faults == []
        found, done = missed(original, arguments.count, arguments.seed, Path(folder) / "copy.db")
    sys.stdout.write(f"{sum(done.values())} changes, {len(found)} of them not found; {dict(done)}\n")
    sys.stdout.writelines(f"{name}\n" for name in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
