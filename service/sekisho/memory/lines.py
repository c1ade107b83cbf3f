"""Records as lines of text, as a snapshot has them, and back.

A record is a list of its kind and its fields, whatever these are: strings, numbers and None as they are, all else in a list whose first
member says what it is. A field of a kind that is not known here keeps its record out of the snapshot: to leave out the field alone could
leave out a limit. An attached policy is its text, and is compiled when its record is read.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from sekisho import policy
from sekisho.credentials import access_keys
from sekisho.credentials.key_ring import KeyRing
from sekisho.policy import Attached
from sekisho.sigv4 import Credentials
from sekisho.world import EntityRecord, KeyRecord, Record, SigningKey

KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Record) if kind is not EntityRecord}
"""By the name of their class: the records that decisions are made of."""

SHAPES: Mapping[str, list[str]] = {name: [field.name for field in fields(kind)] for name, kind in KINDS.items()}
"""The fields of each kind: a snapshot of other ones is another version's."""

_NAMES = {kind: name for name, kind in KINDS.items()}


class _Unwritten(Exception):  # noqa: N818  # says what becomes of the record
    """A value that has no place in a line."""


def written(record: Record, ring: KeyRing) -> bytes | None:
    """The line of a record; None for one that is not for a snapshot. The secret of a key is sealed, as it is in the database."""
    name = _NAMES.get(type(record))
    if name is None:
        return None
    values = {field: getattr(record, field) for field in SHAPES[name]}
    if isinstance(record, KeyRecord):
        sealed = access_keys.seal(Credentials(record.id, record.secret), ring)
        values["secret"] = b64encode(sealed).decode()
    try:
        return json.dumps([name, *map(_plain, values.values())], separators=(",", ":")).encode()
    except _Unwritten:
        return None


def read(line: bytes, ring: KeyRing) -> Record:
    """The record of a line that `written` made; UnknownKey or SealBroken when the ring does not open the secret in it."""
    name, *plain = json.loads(line)
    values = dict(zip(SHAPES[name], map(_value, plain), strict=True))
    if KINDS[name] is KeyRecord:
        values["secret"] = access_keys.unseal(values["id"], b64decode(values["secret"]), ring)
    record: Record = KINDS[name](**values)
    return record


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, SigningKey):
        return ["signing key", *map(_plain, value)]
    if isinstance(value, tuple):
        return ["tuple", *map(_plain, value)]
    if isinstance(value, frozenset):
        return ["set", *sorted(map(_plain, value))]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return ["map", {key: _plain(item) for key, item in value.items()}]
    if isinstance(value, datetime):
        return ["time", value.isoformat()]
    if isinstance(value, Attached) and value.program.text:
        return ["policy", value.program.text, value.arn, value.version, value.name]
    raise _Unwritten


def _value(plain: Any) -> Any:
    return _VALUES[plain[0]](plain[1:]) if isinstance(plain, list) else plain


_VALUES: Mapping[str, Callable[[list[Any]], Any]] = {
    "signing key": lambda items: SigningKey(*map(_value, items)),
    "tuple": lambda items: tuple(map(_value, items)),
    "set": lambda items: frozenset(map(_value, items)),
    "map": lambda items: {key: _value(item) for key, item in items[0].items()},
    "time": lambda items: datetime.fromisoformat(items[0]),
    "policy": lambda items: Attached(policy.compiled(items[0]), *items[1:]),
}
