"""Published checkpoints as whoever verifies has them: read, checked for their signatures and for their order. Pure but for the reading."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sekisho.journal.trail import checkpoints, keys
from sekisho.journal.trail.faults import Fault


@dataclass(frozen=True, slots=True)
class Statement:
    """A checkpoint: its number, what it says as JSON, the signature in hexadecimal digits, whether it is said to be published."""

    number: int
    content: str
    signature: str
    published: bool = True


Heads = dict[tuple[str, int], tuple[str, int]]
"""By account and sequence, the hash that a link has to have, and the number of the checkpoint that says so."""


def of_folder(path: Path) -> tuple[list[Statement], dict[str, bytes], list[Fault]]:
    """The checkpoints and the public keys of a directory; one that does not say what its name does is a fault."""
    found, faults = [], []
    for file in sorted(path.glob("[0-9]" * 12 + ".json")):
        try:
            said = json.loads(file.read_bytes())
            number = int(json.loads(said["content"])["number"])
            if file.name != checkpoints.file(number):
                raise ValueError
            found.append(Statement(number, str(said["content"]), str(said["signature"])))
        except (ValueError, TypeError, LookupError):
            faults.append(Fault(f"{file.name} is not a checkpoint"))
    return found, dict(map(public, sorted(path.glob("*.der")))), faults


def public(file: Path) -> tuple[str, bytes]:
    """The public key in a file, by its fingerprint."""
    content = file.read_bytes()
    return keys.fingerprint(content), content


def checked(statements: Iterable[Statement], public_keys: Mapping[str, bytes]) -> Iterator[Fault]:
    """The faults of checkpoints, which are given in their order: from the first of them on, none is missing."""
    last: Statement | None = None
    for statement in statements:
        if last is not None and statement.number != last.number + 1:
            yield Fault(f"checkpoint {last.number + 1} is missing")
        elif last is not None and _said(statement, "before") != checkpoints.hashed(last.content):
            yield Fault(f"checkpoint {statement.number} does not follow on the one before it")
        if _said(statement, "number") != str(statement.number):
            yield Fault(f"checkpoint {statement.number} says that it is another one: `{_said(statement, 'number')}`")
        if (signed_by := signer(statement)) not in public_keys:
            yield Fault(f"checkpoint {statement.number} is signed with a key that is not known: `{signed_by}`")
        elif not keys.is_signed(public_keys[signed_by], statement.content.encode(), statement.signature):
            yield Fault(f"the signature of checkpoint {statement.number} is not that of its content")
        last = statement


def compared(ours: Iterable[Statement], published: Mapping[int, Statement]) -> Iterator[Fault]:
    """The differences between a database's checkpoints and those that it has published."""
    newest = 0
    for statement in ours:
        newest = statement.number
        other = published.get(statement.number)
        if other is None:
            if statement.published and statement.number >= min(published, default=0):
                yield Fault(f"checkpoint {statement.number} was published, and is not there")
        elif (other.content, other.signature) != (statement.content, statement.signature):
            yield Fault(f"checkpoint {statement.number} is not what was published")
    if published and max(published) > newest:
        yield Fault(f"checkpoints up to {max(published)} were published, and the database has them up to {newest}: it was set back")


def heads(statements: Iterable[Statement]) -> Heads:
    """The heads that checkpoints say; of those that are no checkpoints, none. What the first says stays said: published ones come first,
    and nobody takes that back in a later one.
    """
    found: Heads = {}
    for statement in statements:
        try:
            for account, sequence, hash_ in json.loads(statement.content)["heads"]:
                found.setdefault((str(account), int(sequence)), (str(hash_), statement.number))
        except (ValueError, TypeError, LookupError):
            continue
    return found


def signer(statement: Statement) -> str:
    """The fingerprint of the key that a checkpoint says it is signed with; empty where it is no checkpoint."""
    return _said(statement, "key")


def _said(statement: Statement, name: str) -> str:
    try:
        return str(json.loads(statement.content)[name])
    except (ValueError, TypeError, LookupError):
        return ""
