"""Slips of the fingers in a question: what looks like one, and what may have been meant."""

import difflib
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from sekisho import arn

if TYPE_CHECKING:
    from sekisho.client import Client

_ACTION = re.compile(r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+")
_PARTS = "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
_ALIKE = 0.7
"""How alike two names are, from 0 to 1, of which one may be the other with a slip."""
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
