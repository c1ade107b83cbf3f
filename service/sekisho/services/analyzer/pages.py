"""Pages of lists, behind the place that `next_token` names."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, tuple_

from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.services.analyzer import quotas
from sekisho.services.analyzer.errors import Validation
from sekisho.store import paging

T = TypeVar("T")


def cursor(call: Call, request: Any) -> paging.Cursor:
    """Makes and opens the tokens of a request."""
    return pages.cursor(call, request, place="next_token", size="max_results")


def opened(made: paging.Cursor, request: Any) -> list[Any] | None:
    """The key behind which a page begins, None for the first; Validation for a token that is not of this request."""
    if not request.next_token:
        return None
    try:
        return made.open(request.next_token)
    except paging.InvalidMarker:
        raise Validation("The provided nextToken is not valid.") from None


def most(request: Any) -> int:
    """How many the page has at most; Validation for a number that is not positive."""
    if request.HasField("max_results") and request.max_results < 1:
        raise Validation("maxResults must be greater than or equal to 1.")
    return min(request.max_results or quotas.PAGE, quotas.PAGE)


def page(call: Call, request: Any, query: Select[T], *, key: Sequence[Any], of: Callable[[T], Sequence[object]]) -> paging.Page[T]:
    """A page of a query."""
    made = cursor(call, request)
    opened(made, request)
    return paging.page(call.session, query, made, key=key, of=of, marker=request.next_token, most=most(request))


def cut(call: Call, request: Any, rows: Sequence[T]) -> paging.Page[T]:
    """A page of what is in memory already, and the same whenever it is asked for."""
    made, size = cursor(call, request), most(request)
    begin = int((opened(made, request) or [0])[0])
    more = begin + size < len(rows)
    return paging.Page(rows[begin : begin + size], made.marker([begin + size]) if more else None)


def page_by_time(
    call: Call, request: Any, query: Select[T], *, key: tuple[Any, Any], of: Callable[[T], tuple[datetime, str]]
) -> paging.Page[T]:
    """A page of a query, by a time and an id."""
    made, size = cursor(call, request), most(request)
    last = opened(made, request)
    if last is not None:
        query = query.where(tuple_(*key) > tuple_(datetime.fromisoformat(last[0]), last[1]))
    rows = call.session.scalars(query.order_by(*key).limit(size + 1)).all()
    if len(rows) <= size:
        return paging.Page(rows, None)
    at, id_ = of(rows[size - 1])
    return paging.Page(rows[:size], made.marker([at.isoformat(), id_]))
