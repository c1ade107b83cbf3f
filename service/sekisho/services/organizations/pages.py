"""Pages of lists: `max_results` at the most, 20 when nobody says, behind the place that `next_token` names."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Select

from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.services.organizations.errors import InvalidInput
from sekisho.store import paging

PAGE = 20
INVALID = "You specified a value for the NextToken parameter that is not valid."
T = TypeVar("T")


def page(
    call: Call, request: Any, query: Select[T], *, key: Sequence[Any], of: Callable[[T], Sequence[object]], fewer: int = 0
) -> paging.Page[T]:
    """A page of a query, with `fewer` rows than the request wants."""
    token = request.next_token
    try:
        return paging.page(call.session, query, cursor(call, request), key=key, of=of, marker=token, most=size(request) - fewer)
    except paging.InvalidMarker:
        raise InvalidInput("INVALID_NEXT_TOKEN", INVALID) from None


def size(request: Any) -> int:
    """How many items a request wants."""
    wanted: int = getattr(request, "max_results", 0)
    return wanted or PAGE


def cursor(call: Call, request: Message) -> paging.Cursor:
    """Makes and opens the tokens of a request; they are good for the same request of the same account."""
    return pages.cursor(call, request, place="next_token", size="max_results")
