"""An account itself: what it is called, and whose it is."""

from sekisho.api.account.v1 import accounts_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.account import subjects
from sekisho.services.account.errors import ResourceNotFound
from sekisho.store.tables import AccountEmail


@operation
def get_account_information(call: Call, request: pb.GetAccountInformationRequest) -> pb.GetAccountInformationResponse:
    """Name, state and the day on which it was made."""
    row = subjects.find(call, request)
    return pb.GetAccountInformationResponse(
        account_id=row.id,
        account_name=row.name,
        account_created_date=row.created_at.replace(microsecond=0),
        account_state=row.status,
    )


@operation
def put_account_name(call: Call, request: pb.PutAccountNameRequest) -> pb.PutAccountNameResponse:
    """Names need not be unique."""
    subjects.find(call, request).name = request.account_name
    return pb.PutAccountNameResponse()


@operation
def get_primary_email(call: Call, request: pb.GetPrimaryEmailRequest) -> pb.GetPrimaryEmailResponse:
    """Of a member alone: a request always names one."""
    row = subjects.find(call, request)
    email = call.session.get(AccountEmail, row.id)
    if email is None:
        raise ResourceNotFound("No primary email was found for the account.")
    return pb.GetPrimaryEmailResponse(primary_email=email.email)
