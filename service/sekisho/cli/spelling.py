"""Slips of the fingers in a question: what looks like one, and what may have been meant."""

import difflib
import fnmatch
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from sekisho import arn

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from sekisho.client import Client

_ACTION = re.compile(r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+")
_PARTS = "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
_ALIKE = 0.7
"""How alike two names are, from 0 to 1, of which one may be the other with a slip."""
_CLOSE = 0.85
_MOST = 1000
"""Users, groups, roles and policies whose documents are read for what was meant."""
_DOCUMENTS = ("document", "policy_document")
_PAGES = 10
"""Pages of a thousand principals that are looked through for what was meant."""


def warnings(action: str, resource: str, account: str) -> Iterator[str]:
    """What is odd about an action and a resource that a server takes as they are; `account` is the caller's."""
    service = action.partition(":")[0] if ":" in action else ""
    parts = resource.split(":", 5)
    owner = parts[2] if len(parts) == 6 and parts[0] == "arn" else ""
    if _ACTION.fullmatch(action) is None:
        if any(sign in action for sign in "*?"):
            yield f"`{action}` is asked for as it stands: the wildcards of a question are literal"
        else:
            meant = f"{service or owner or 'SERVICE'}:{action.strip(':') or 'NAME'}"
            yield f"`{action}` is not an action, such as orders:ShipOrder; did you mean {meant}?"
    if resource == "*":
        return
    if not resource.startswith("arn:"):
        yield f"`{resource}` is not an ARN; did you mean arn:aws:{service or 'SERVICE'}:REGION:{account}:{resource.lstrip('/')}?"
    elif len(parts) < 6 or not all((parts[1], parts[2], parts[5])):
        yield f"`{resource}` is not an ARN, which has six parts: {_PARTS}"
    elif parts[4] and not arn.is_account_id(parts[4]):
        yield f"`{parts[4]}` in `{resource}` is not an account, which has twelve digits"
    elif service and owner != service and difflib.SequenceMatcher(None, service.lower(), owner.lower()).ratio() >= _ALIKE:
        yield f"the action is of the service `{service}`, the resource of `{owner}`"


def principals(client: "Client", wanted: str) -> str:
    """Up to three principals of the caller's account that are like the one that is not there, `""` when there are none to be seen."""
    from sekisho.client import Error, pages

    kind, _, name = wanted.rpartition(":")[2].partition("/")
    found: dict[str, str] = {}
    try:
        if kind in ("user", "role"):
            listing = getattr(client.iam, f"list_{kind}s")
            for page in islice(pages(listing, max_items=1000), _PAGES):
                found |= {one.arn.rpartition(":")[2].partition("/")[2]: one.arn.rpartition(":")[2] for one in getattr(page, f"{kind}s")}
    except Error:
        return ""  # a caller that may not list them
    last = name.rpartition("/")[2].lower()
    same = [found[path] for path in found if path.rpartition("/")[2].lower() == last]
    paths = {path.lower(): path for path in found}
    close = [found[paths[path]] for path in difflib.get_close_matches(name.lower(), paths, n=3, cutoff=_ALIKE)]
    names = {path.rpartition("/")[2].lower(): path for path in found}
    close += [found[names[one]] for one in difflib.get_close_matches(last, names, n=3, cutoff=_ALIKE)]
    return " or ".join(list(dict.fromkeys(same or close))[:3])


def meant_action(client: "Client", action: str) -> str:
    """The action of the account's policies that is most like one that none of them names, `""` when there is none to be seen."""
    from sekisho.client import Error

    try:
        details = client.iam.get_account_authorization_details(max_items=_MOST)
    except Error:
        return ""  # a caller that may not see them
    patterns = {pattern.lower(): pattern for text in _documents(details) for pattern in _actions(text)}
    if any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in patterns if pattern != "*" and not pattern.endswith(":*")):
        return ""  # one is about it, and not about everything alone
    whole = {lowered: pattern for lowered, pattern in patterns.items() if not any(sign in pattern for sign in "*?")}
    close = difflib.get_close_matches(action.lower(), whole, n=1, cutoff=_CLOSE)
    return whole[close[0]] if close else ""


def _documents(message: "Message") -> Iterator[str]:
    """Every policy document in a message and beneath it."""
    for field, value in message.ListFields():
        if field.name in _DOCUMENTS:
            yield value
        elif field.message_type is not None:
            for item in value if field.is_repeated else (value,):
                yield from _documents(item)


def _actions(text: str) -> Iterator[str]:
    """The actions that a document names."""
    try:
        statements = json.loads(text)["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            named = statement.get("Action", [])
            yield from [named] if isinstance(named, str) else named
    except (ValueError, KeyError, TypeError, AttributeError):
        return
