"""Encoded authorization messages: the reasons of a denial, sealed, so that whoever was denied can hand them to somebody who may read them.

    base64url(envelope of deflated JSON), sealed for the account that it is about

Nothing is stored. A message opens for a day, and as long as the ring has its key.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
"""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import SESSIONS, KeyRing, UnknownKey

LONGEST = 10_240
"""Characters of a message; AWS's tools send no longer one."""
LASTS = timedelta(days=1)

_PLACE = ("authorization_messages", "content")


class UnreadableMessage(ValueError):  # noqa: N818  # says what the message is
    """The message is not ours, not for this account, changed, or too old."""


def sealed(contents: Iterable[dict[str, Any]], account_id: str, ring: KeyRing, now: datetime) -> str:
    """The message of the first of some contents that fits, for one account; `` where none does."""
    for content in contents:
        data = json.dumps({"at": int(now.timestamp()), "content": content}, separators=(",", ":")).encode()
        envelope = ring.seal(SESSIONS, zlib.compress(data, 6), (*_PLACE, account_id))
        message = urlsafe_b64encode(envelope).rstrip(b"=").decode()
        if len(message) <= LONGEST:
            return message
    return ""


def opened(message: str, account_id: str, ring: KeyRing, now: datetime) -> str:
    """The content of a message for the account, as JSON; UnreadableMessage."""
    try:
        envelope = urlsafe_b64decode(message.encode("ascii") + b"=" * (-len(message) % 4))
        if urlsafe_b64encode(envelope).rstrip(b"=").decode() != message:
            raise UnreadableMessage("another spelling of the message")
        said = json.loads(zlib.decompress(ring.unseal(SESSIONS, envelope, (*_PLACE, account_id))))
    except (ValueError, zlib.error, SealBroken, UnknownKey) as error:
        raise UnreadableMessage(str(error)) from None
    if now >= datetime.fromtimestamp(said["at"], UTC) + LASTS:
        raise UnreadableMessage("the message has expired")
    return json.dumps(said["content"], separators=(",", ":"))
