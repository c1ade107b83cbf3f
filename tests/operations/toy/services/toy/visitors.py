"""Visitors, who prove nothing. They are kept as accounts, too."""

from sekisho.api.toy.v1 import visitors_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.store.tables import Account


@operation
def register_visitor(call: Call, request: pb.RegisterVisitorRequest) -> pb.RegisterVisitorResponse:
    """The id is the name behind `visitor-`."""
    row = Account(id=f"visitor-{request.visitor_name}", name=request.visitor_name, created_at=call.now)
    call.session.add(row)
    return pb.RegisterVisitorResponse(visitor_id=row.id)
