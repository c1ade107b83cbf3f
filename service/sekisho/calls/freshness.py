"""How new the world must be before a call is looked at.

It is waited for before the caller's own permission is: the revision may have given that, or taken it away.
"""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import Call

_QUESTIONS: dict[type[Message], Callable[[Any], Iterable[pb.AuthorizeRequest]]] = {
    pb.AuthorizeRequest: lambda request: (request,),
    pb.AuthorizeBatchRequest: lambda request: request.requests,
    pb.ExplainRequest: lambda request: (request.request,),
}


def wait(call: Call, request: Message) -> None:
    """Return when the world is not older than every revision in `at_least`; NotYet at the call's deadline."""
    questions = _QUESTIONS.get(type(request))
    if questions is not None:
        for token in {question.at_least for question in questions(request) if question.at_least}:
            call.node.feed.wait_for(token, call.deadline)
