"""Pages of lists, behind the place that `next_token` names."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select

from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.errors import InvalidArgument
from sekisho.services.cloudtrail.errors import InvalidToken
from sekisho.store import paging

T = TypeVar("T")


def page(
    call: Call,
    request: Any,
    query: Select[T],
    *,
    key: Sequence[Any],
    of: Callable[[T], Sequence[object]],
    most: int,
    error: type[InvalidArgument] = InvalidToken,
) -> paging.Page[T]:
    """A page of a query; `error` for a token that is not of this request."""
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    try:
        return paging.page(call.session, query, cursor, key=key, of=of, marker=request.next_token, most=most)
    except paging.InvalidMarker:
        raise error("The specified token is not valid.") from None
