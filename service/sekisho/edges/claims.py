"""Whose a call says it is, before anything is verified: enough to share threads fairly, and for nothing else.

The account stands in the access key id of a signature or of a bearer token, and in a JWT of ours. Anybody can write any id; so only an
account that the worker has in memory has a share of its own. All others share the empty name, with callers who claim nothing.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from functools import lru_cache

from sekisho.calls.call import Node
from sekisho.credentials import key_ids

_ID = 20  # characters of an access key id
_BEGINNING = 1024  # characters of a bearer token: its URL names the key before the long parts
_SHORT = 2048  # characters of a bearer token of which the account is remembered
_MARKS = ("X-Amz-Credential=", "Credential=")
_ACCOUNT = re.compile(r'"aws_account": ?"([0-9]{12})"')  # the first claim of a JWT of ours


def of_metadata(node: Node, metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The account that a gRPC call claims, `""` for none that is known here."""
    for name, value in metadata:
        if name == "authorization" and isinstance(value, str):
            if value[:7].lower() != "bearer ":
                return of_text(node, value)
            account = _of_bearer(value) if len(value) <= _SHORT else _account(_bearer(value))
            return account if account and node.world.has_record(account) else ""
    return ""


def of_text(node: Node, text: str) -> str:
    """The account in the credential scope of an `Authorization` header or of a presigned query, likewise."""
    account = _account(text)
    return account if account and node.world.has_record(account) else ""


def _account(text: str) -> str:
    for mark in _MARKS:
        begins = text.find(mark)
        if begins >= 0:
            begins += len(mark)
            return key_ids.account_of_key_id(text[begins : begins + _ID]) or ""
    said = _ACCOUNT.search(text)
    return said[1] if said is not None else ""


@lru_cache(maxsize=512)  # a bearer sends the same with each call, and a flood is to cost little
def _of_bearer(value: str) -> str:
    return _account(_bearer(value))


def _bearer(value: str) -> str:
    token = value[7 : 7 + _BEGINNING].strip()
    if "." in token:  # a JWT: what it says stands behind its header
        token = token.split(".")[1]
    try:
        return urlsafe_b64decode(token[: len(token) // 4 * 4]).decode("latin-1")
    except ValueError:
        return ""
