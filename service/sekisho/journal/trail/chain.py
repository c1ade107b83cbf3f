"""The chain of an account: each link is a keyed hash of the link before, the record and its place. Pure.

    link = HMAC-SHA256(key, [form, key id, hash before, account, sequence, ordinal, record])

as JSON without spaces; a record is its columns in the order of `COLUMNS`, with times in UTC. A hash is `form.key id.digits`, so it says
with which key of the ring it was made, and that key's successors leave it as it is. The first link of an account follows on `BEGINNING`.
"""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sekisho.credentials.envelopes import Key
from sekisho.store.tables import AuditRecord, TrailAnchor

FORM = "1"
"""The form of a link. A record that gets further columns, or a chain that is made otherwise, gets another one, beside this."""
BEGINNING = ""
"""The hash before an account's first link."""

COLUMNS = (
    "id",
    "account_id",
    "at",
    "revision",
    "spooled",
    "event_source",
    "event_name",
    "read_only",
    "principal_id",
    "principal_arn",
    "access_key_id",
    "source_ip",
    "user_agent",
    "request",
    "response",
    "error_code",
    "error_message",
    "count",
    "last_at",
    "category",
    "event_type",
    "region",
    "username",
    "identity",
    "resources",
    "tls",
    "shared_id",
)
"""The columns of a record in form 1: all that it has."""

_TIMES = ("at", "last_at")

Record = dict[str, Any]
"""A record as its columns, with times as texts: what is hashed, and what an export holds."""


class UnknownFormError(ValueError):
    """A hash that no release which we know has made."""


class Head(NamedTuple):
    """The head of an account's chain."""

    sequence: int
    hash: str


NOTHING = Head(0, BEGINNING)


def plain(row: AuditRecord) -> Record:
    """A record as its columns. A row that was loaded has them in its dictionary, where each costs a tenth of what the mapper takes."""
    loaded = vars(row)
    try:
        record = {name: loaded[name] for name in COLUMNS}
    except KeyError:  # a column that is loaded when it is asked for
        record = {name: getattr(row, name) for name in COLUMNS}
    for name in _TIMES:
        record[name] = _said(record[name])
    return record


def link(key: Key, before: str, account_id: str, sequence: int, ordinal: int, record: Record) -> str:
    """The hash of a link, made with this key of the ring."""
    said = [FORM, key.id, before, account_id, sequence, ordinal, [record[name] for name in COLUMNS]]
    return f"{FORM}.{key.id}.{key.digest(_encoded('link', said)).hex()}"


def is_link(key_of: Callable[[str], Key], found: str, before: str, account_id: str, sequence: int, ordinal: int, record: Record) -> bool:
    """True of the hash of this link; UnknownFormError, or what `key_of` raises for the id of a key that it does not have."""
    return hmac.compare_digest(found.encode(), link(key_of(key_id(found)), before, account_id, sequence, ordinal, record).encode())


def seal(key: Key, anchor: TrailAnchor) -> str:
    """The seal of an anchor."""
    said = [FORM, key.id, anchor.account_id, anchor.sequence, anchor.ordinal, anchor.hash, _said(anchor.at)]
    return f"{FORM}.{key.id}.{key.digest(_encoded('anchor', said)).hex()}"


def is_sealed(key_of: Callable[[str], Key], anchor: TrailAnchor) -> bool:
    """True of an anchor's seal that is ours; UnknownFormError, or what `key_of` raises."""
    return hmac.compare_digest(anchor.seal.encode(), seal(key_of(key_id(anchor.seal)), anchor).encode())


def key_id(found: str) -> str:
    """The id of the key with which a hash was made; UnknownFormError."""
    form, _, rest = found.partition(".")
    id_, _, digits = rest.partition(".")
    if form != FORM or len(id_) != 8 or len(digits) != 64:
        raise UnknownFormError(f"`{found}` is not a hash of a form that this release knows")
    return id_


def _said(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _encoded(what: str, said: list[Any]) -> bytes:
    return json.dumps([what, *said], ensure_ascii=True, separators=(",", ":")).encode()
