"""Whose a call says it is, before anything is verified: enough to share threads fairly, and for nothing else.

A call is a stranger's when it claims a long-term key that the worker does not have in memory, so that it has to be looked up: anybody can
make up as many of these as they like.

The account stands in the access key id of a signature or of a bearer token, and in a JWT of ours. Anybody can write any id; so only an
account that the worker has in memory has a share of its own. All others share the empty name, with callers who claim nothing.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from functools import lru_cache

from sekisho.calls.call import Node
from sekisho.credentials import key_ids
from sekisho.edges.lanes import Claim

_ID = re.compile("[0-9A-Za-z]{1,128}")  # whatever may be looked up
_BEGINNING = 1024  # characters of a bearer token: its URL names the key before the long parts
_SHORT = 2048  # characters of a bearer token of which the account is remembered
_MARKS = ("X-Amz-Credential=", "Credential=")
_ACCOUNT = re.compile(r'"aws_account": ?"([0-9]{12})"')  # the first claim of a JWT of ours


NOBODY = Claim()


def of_metadata(node: Node, metadata: Iterable[tuple[str, str | bytes]]) -> Claim:
    """What a gRPC call claims."""
    for name, value in metadata:
        if name == "authorization" and isinstance(value, str):
            if value[:7].lower() != "bearer ":
                return of_text(node, value)
            return _claim(node, *(_of_bearer(value) if len(value) <= _SHORT else _said(_bearer(value))))
    return NOBODY


def of_text(node: Node, text: str) -> Claim:
    """The same of the credential scope in an `Authorization` header or in a presigned query."""
    return _claim(node, *_said(text))


def _claim(node: Node, id_: str, account: str) -> Claim:
    world = node.world
    said = key_ids.account_of_key_id(id_) if id_ else account
    stranger = bool(id_) and not (key_ids.is_temporary(id_) or world.has_record(id_) or world.is_absent(id_))
    return Claim(said if said and world.has_record(said) else "", stranger)


def _said(text: str) -> tuple[str, str]:
    """The id of the key that a text names, or else the account that a token of ours does."""
    for mark in _MARKS:
        begins = text.find(mark)
        if begins >= 0:
            found = _ID.match(text, begins + len(mark))
            return found[0] if found is not None else "", ""
    said = _ACCOUNT.search(text)
    return "", said[1] if said is not None else ""


@lru_cache(maxsize=512)  # a bearer sends the same with each call, and a flood is to cost little
def _of_bearer(value: str) -> tuple[str, str]:
    return _said(_bearer(value))


def _bearer(value: str) -> str:
    token = value[7 : 7 + _BEGINNING].strip()
    if "." in token:  # a JWT: what it says stands behind its header
        token = token.split(".")[1]
    try:
        return urlsafe_b64decode(token[: len(token) // 4 * 4]).decode("latin-1")
    except ValueError:
        return ""
