"""Whom to reach about an account. Contacts are kept as they were given; nobody is written to."""

from typing import Any

from google.protobuf.json_format import MessageToJson, Parse

from sekisho.api.account.v1 import contacts_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.account import subjects
from sekisho.services.account.errors import ResourceNotFound
from sekisho.store.tables import AccountContact

PRIMARY = "PRIMARY"
"""The kind of the contact that is not an alternate one."""


@operation
def put_contact_information(call: Call, request: pb.PutContactInformationRequest) -> pb.PutContactInformationResponse:
    """In the place of what was there."""
    _put(call, subjects.find(call, request).id, PRIMARY, request.contact_information)
    return pb.PutContactInformationResponse()


@operation
def get_contact_information(call: Call, request: pb.GetContactInformationRequest) -> pb.GetContactInformationResponse:
    """As it was given. Telephone numbers are not verified here."""
    found = _find(call, subjects.find(call, request).id, PRIMARY)
    contact = Parse(found.content, pb.ContactInformation())
    return pb.GetContactInformationResponse(contact_information=contact, verification_status="NOT_SUPPORTED")


@operation
def put_alternate_contact(call: Call, request: pb.PutAlternateContactRequest) -> pb.PutAlternateContactResponse:
    """One of each kind."""
    contact = pb.AlternateContact(
        name=request.name,
        title=request.title,
        email_address=request.email_address,
        phone_number=request.phone_number,
        alternate_contact_type=request.alternate_contact_type,
    )
    _put(call, subjects.find(call, request).id, request.alternate_contact_type, contact)
    return pb.PutAlternateContactResponse()


@operation
def get_alternate_contact(call: Call, request: pb.GetAlternateContactRequest) -> pb.GetAlternateContactResponse:
    """As it was given."""
    found = _find(call, subjects.find(call, request).id, request.alternate_contact_type)
    return pb.GetAlternateContactResponse(alternate_contact=Parse(found.content, pb.AlternateContact()))


@operation
def delete_alternate_contact(call: Call, request: pb.DeleteAlternateContactRequest) -> pb.DeleteAlternateContactResponse:
    """The other kinds stay."""
    call.session.delete(_find(call, subjects.find(call, request).id, request.alternate_contact_type))
    return pb.DeleteAlternateContactResponse()


def _put(call: Call, account_id: str, kind: str, contact: Any) -> None:
    content = MessageToJson(contact, indent=None)
    row = call.session.get(AccountContact, (account_id, kind))
    if row is None:
        call.add(AccountContact(account_id=account_id, kind=kind, content=content))
    else:
        row.content = content


def _find(call: Call, account_id: str, kind: str) -> AccountContact:
    row = call.session.get(AccountContact, (account_id, kind))
    if row is None:
        raise ResourceNotFound("No contact of the inputted type was found.")
    return row
