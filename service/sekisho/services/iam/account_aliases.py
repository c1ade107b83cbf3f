"""Account aliases: a name for an account, which no other account has."""

from sqlalchemy import select

from sekisho.api.iam.v1 import account_aliases_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities
from sekisho.services.iam.errors import EntityAlreadyExists, NoSuchEntity
from sekisho.store.tables import AccountAlias


@operation
def create_account_alias(call: Call, request: pb.CreateAccountAliasRequest) -> pb.CreateAccountAliasResponse:
    """An account has one: a new one takes the place of the old, which is then free for others."""
    if call.session.get(AccountAlias, request.account_alias) is not None:
        raise EntityAlreadyExists(f"The account alias {request.account_alias} already exists.")
    old = call.session.scalars(select(AccountAlias).where(AccountAlias.account_id == call.account_id)).one_or_none()
    if old is not None:
        call.session.delete(old)
        call.session.flush()
    call.add(AccountAlias(alias=request.account_alias, account_id=call.account_id, created_at=call.now))
    return pb.CreateAccountAliasResponse()


@operation
def list_account_aliases(call: Call, request: pb.ListAccountAliasesRequest) -> pb.ListAccountAliasesResponse:
    """None or one."""
    query = select(AccountAlias).where(AccountAlias.account_id == call.account_id)
    found = entities.page(call, request, query, key=[AccountAlias.alias], of=lambda row: [row.alias])
    return pb.ListAccountAliasesResponse(
        account_aliases=[row.alias for row in found.rows], is_truncated=found.marker is not None, marker=found.marker
    )


@operation
def delete_account_alias(call: Call, request: pb.DeleteAccountAliasRequest) -> pb.DeleteAccountAliasResponse:
    """One of another account is as if there were none."""
    row = call.session.get(AccountAlias, request.account_alias)
    if row is None or row.account_id != call.account_id:
        raise NoSuchEntity(f"The account alias with name {request.account_alias} cannot be found.")
    call.session.delete(row)
    return pb.DeleteAccountAliasResponse()
