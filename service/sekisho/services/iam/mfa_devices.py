"""MFA devices of users and root users. Virtual ones are made here, the others in `services/mfa`. A name is unique with its path."""

import io
import uuid
from collections.abc import Sequence
from dataclasses import replace

import segno
from google.protobuf.message import Message
from sqlalchemy import ColumnElement, bindparam, literal, select
from sqlalchemy.orm import aliased

from sekisho import arn
from sekisho.api.iam.v1 import mfa_devices_pb2 as pb
from sekisho.api.iam.v1.tags_pb2 import Tag
from sekisho.calls import devices
from sekisho.calls.call import Call
from sekisho.calls.devices import Device
from sekisho.credentials import one_time
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, quotas, tags, users
from sekisho.services.iam.errors import DeleteConflict, EntityAlreadyExists, InvalidAuthenticationCode, InvalidInput, NoSuchEntity
from sekisho.store.tables import AccountAlias, Authenticator, MfaDevice, Root, User

_SERIAL_LENGTH = 256
_DEVICES, _OWNERS = aliased(MfaDevice, flat=True), aliased(User, flat=True)
_OTHERS, _THEIRS = aliased(Authenticator), aliased(User, flat=True)
_SOMETHING = select(literal(1).label("row")).subquery()
_OWNER = (
    # One row, also for a device that is not there: to read one more would take time that tells.
    select(_DEVICES.name, _DEVICES.path, _OWNERS.name.label("owner"), _THEIRS.name.label("owner_of_other"))
    .select_from(_SOMETHING)
    .outerjoin(_DEVICES, (_DEVICES.account_id == bindparam("account_id")) & (_DEVICES.name_key == bindparam("name_key")))
    .outerjoin(_OWNERS, _OWNERS.id == _DEVICES.user_id)
    .outerjoin(_OTHERS, (_OTHERS.account_id == bindparam("account_id")) & (_OTHERS.serial == bindparam("serial")))
    .outerjoin(_THEIRS, _THEIRS.id == _OTHERS.owner_id)
)
_PIXELS = 5  # of the picture, a module of the code


@resource("mfa-device")
def mfa_device(call: Call, request: Message, field: str) -> Resource:
    """The device that the request names; one that does not exist has no tags."""
    return entities.resource_of_arn(call, "mfa", getattr(request, field))


@resource("mfa-device-name")
def mfa_device_name(call: Call, request: Message, field: str) -> Resource:
    """The device that the request is to make."""
    return entities.resource(call, MfaDevice, request, getattr(request, field))


@resource("mfa-owner")
def mfa_owner(call: Call, request: pb.GetMFADeviceRequest, field: str) -> Resource:
    """The user who has the device; of one that is nobody's, or is not there, a user without a name. So a caller who is permitted to ask for
    some users alone is denied another's device as one that does not exist, and either takes the same look-ups.
    """
    serial_number = getattr(request, field)
    named = arn.entity(serial_number)
    key = named.key if named is not None and (named.account, named.kind) == (call.account_id, "mfa") else ""
    row = call.session.execute(_OWNER, {"account_id": call.account_id, "name_key": key, "serial": serial_number}).one()
    owner = row.owner if named is not None and (row.name, row.path) == (named.name, named.path) else None
    return replace(entities.resource(call, User, request, owner or row.owner_of_other or ""), named=serial_number)


@operation
def create_virtual_mfa_device(call: Call, request: pb.CreateVirtualMFADeviceRequest) -> pb.CreateVirtualMFADeviceResponse:
    """Nobody's as yet. Nothing shows the seed again."""
    name = request.virtual_mfa_device_name
    row = MfaDevice(**entities.new_columns(call, MfaDevice, name, request.path, id_=uuid.uuid4().hex, quota="MFADevicesQuota"))
    if len(entities.arn_of(row)) > _SERIAL_LENGTH:
        raise InvalidInput(f"The serial number of the device would have more than {_SERIAL_LENGTH} characters.")
    seed = one_time.new_seed()
    row.seed = one_time.seal(row.id, seed, call.node.ring)
    shown = _message(call, row, tags=tags.first(call, row, request.tags))
    shown.base32_string_seed = one_time.shown(seed).encode()
    shown.qr_code_png = _picture(one_time.uri(seed, row.name, _account_name(call)))
    return pb.CreateVirtualMFADeviceResponse(virtual_mfa_device=shown)


@operation
def delete_virtual_mfa_device(call: Call, request: pb.DeleteVirtualMFADeviceRequest) -> pb.DeleteVirtualMFADeviceResponse:
    """It must be nobody's."""
    row = _find_virtual(call, request.serial_number)
    if devices.owner_id(row) is not None:
        raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteVirtualMFADeviceResponse()


@operation
def list_virtual_mfa_devices(call: Call, request: pb.ListVirtualMFADevicesRequest) -> pb.ListVirtualMFADevicesResponse:
    """By name, without tags and seeds."""
    of_somebody = MfaDevice.user_id.is_not(None) | MfaDevice.of_root
    assigned: dict[str, list[ColumnElement[bool]]] = {"Assigned": [of_somebody], "Unassigned": [~of_somebody]}
    found = entities.page_by_name(call, request, MfaDevice, *assigned.get(request.assignment_status, ()))
    shown = [_message(call, row) for row in found.rows]
    return pb.ListVirtualMFADevicesResponse(virtual_mfa_devices=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def enable_mfa_device(call: Call, request: pb.EnableMFADeviceRequest) -> pb.EnableMFADeviceResponse:
    """At most eight a user. Neither code can be used again."""
    user = entities.find(call, User, request.user_name)
    row = _find(call, request.serial_number)
    if devices.owner_id(row) is not None:
        raise EntityAlreadyExists("MFA Device is already in use.")
    quotas.check("MFADevicesPerUserQuota", len(devices.load_of(call.session, call.account_id, user.id)) + 1)
    row.last_step, row.drift = _prove(call, row, request, window=one_time.WINDOW), 0
    devices.give(row, user)
    row.enabled_at, row.failures = call.now, 0
    return pb.EnableMFADeviceResponse()


@operation
def resync_mfa_device(call: Call, request: pb.ResyncMFADeviceRequest) -> pb.ResyncMFADeviceResponse:
    """The clock of the device may be an hour wrong."""
    row = _of(call, entities.find(call, User, request.user_name), request.serial_number)
    row.last_step = _prove(call, row, request, window=one_time.RESYNC_WINDOW)
    row.drift, row.failures = row.last_step - one_time.step(call.now), 0
    return pb.ResyncMFADeviceResponse()


@operation
def deactivate_mfa_device(call: Call, request: pb.DeactivateMFADeviceRequest) -> pb.DeactivateMFADeviceResponse:
    """Codes that the device has shown stay used. A passkey goes: it is of use to nobody else."""
    user = users.find_named_or_own(call, request.user_name)
    devices.take_away(call.session, _of(call, user, request.serial_number))
    return pb.DeactivateMFADeviceResponse()


@operation
def list_mfa_devices(call: Call, request: pb.ListMFADevicesRequest) -> pb.ListMFADevicesResponse:
    """By serial number; at most eight."""
    user = users.find_named_or_own(call, request.user_name)
    cursor = entities.cursor(call, request)
    after = cursor.open(request.marker)[0] if request.marker else ""
    found = [row for row in devices.load_of(call.session, call.account_id, user.id) if devices.serial(row) > after]
    page = found[: request.max_items or len(found)]
    name = users.shown_name(user)
    shown = [pb.MFADevice(user_name=name, serial_number=devices.serial(row), enable_date=entities.seconds(row.enabled_at)) for row in page]
    marker = cursor.marker([devices.serial(page[-1])]) if len(page) < len(found) else None
    return pb.ListMFADevicesResponse(mfa_devices=shown, is_truncated=marker is not None, marker=marker)


@operation
def get_mfa_device(call: Call, request: pb.GetMFADeviceRequest) -> pb.GetMFADeviceResponse:
    """With a name, only if it is that user's."""
    row = _find(call, request.serial_number)
    if request.user_name:
        _of(call, entities.find(call, User, request.user_name), request.serial_number)
    owner = devices.owner_id(row)
    user = call.session.get(User, owner) if owner is not None else None
    return pb.GetMFADeviceResponse(
        user_name=user.name if user is not None else None,
        serial_number=devices.serial(row),
        enable_date=entities.seconds(row.enabled_at),
    )


@operation
def tag_mfa_device(call: Call, request: pb.TagMFADeviceRequest) -> pb.TagMFADeviceResponse:
    """The keys of a device's tags differ by case."""
    tags.put(call, _find_virtual(call, request.serial_number), request.tags)
    return pb.TagMFADeviceResponse()


@operation
def untag_mfa_device(call: Call, request: pb.UntagMFADeviceRequest) -> pb.UntagMFADeviceResponse:
    """A key that is not there is no error."""
    tags.remove(call, _find_virtual(call, request.serial_number), request.tag_keys)
    return pb.UntagMFADeviceResponse()


@operation
def list_mfa_device_tags(call: Call, request: pb.ListMFADeviceTagsRequest) -> pb.ListMFADeviceTagsResponse:
    """By key."""
    return tags.respond(call, request, _find_virtual(call, request.serial_number), pb.ListMFADeviceTagsResponse)


def _prove(call: Call, row: Device, request: pb.EnableMFADeviceRequest | pb.ResyncMFADeviceRequest, *, window: int) -> int:
    """The step of the second of the request's codes; InvalidAuthenticationCode when the device does not show them one after the other."""
    if not devices.shows_codes(row):
        raise InvalidAuthenticationCode("Authentication code for device is not valid.")
    codes = request.authentication_code1, request.authentication_code2
    step = one_time.pair(devices.seed(row, call.node.ring), *codes, call.now, window=window, after=row.last_step)
    if step is None:
        raise InvalidAuthenticationCode("Authentication code for device is not valid.")
    return step


def _find(call: Call, serial_number: str) -> Device:
    row = devices.get_device(call.session, call.account_id, serial_number)
    if row is None:
        raise _no_such(serial_number)
    return row


def _find_virtual(call: Call, serial_number: str) -> MfaDevice:
    row = _find(call, serial_number)
    if not isinstance(row, MfaDevice):
        raise _no_such(serial_number)
    return row


def _no_such(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"MFA Device with serial number {serial_number} does not exist.")


def _of(call: Call, user: User | Root, serial_number: str) -> Device:
    """The device, if it is this user's."""
    row = _find(call, serial_number)
    if devices.owner_id(row) != user.id:
        raise NoSuchEntity("MFA Device invalid for user.")
    return row


def _account_name(call: Call) -> str:
    """The account as people call it: its alias, else its number."""
    return call.session.scalar(select(AccountAlias.alias).where(AccountAlias.account_id == call.account_id)) or call.account_id


def _picture(text: str) -> bytes:
    """A QR code as PNG."""
    png = io.BytesIO()
    segno.make_qr(text, error="m").save(png, kind="png", scale=_PIXELS)
    return png.getvalue()


def _message(call: Call, row: MfaDevice, *, tags: Sequence[Tag] = ()) -> pb.VirtualMFADevice:
    user = call.session.get(User, row.user_id) if row.user_id is not None else None
    return pb.VirtualMFADevice(
        serial_number=entities.arn_of(row),
        user=users.message(user) if user is not None else None,
        enable_date=entities.seconds(row.enabled_at),
        tags=tags,
    )
