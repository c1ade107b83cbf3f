"""MFA devices: what shows the one-time passwords of a user. All are virtual: AWS's API makes no others. A name is unique with its path."""

import io
import uuid
from collections.abc import Sequence
from dataclasses import replace

import segno
from google.protobuf.message import Message
from sqlalchemy import bindparam, literal, select
from sqlalchemy.orm import aliased

from sekisho import arn
from sekisho.api.iam.v1 import mfa_devices_pb2 as pb
from sekisho.api.iam.v1.tags_pb2 import Tag
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, quotas, tags, users
from sekisho.services.iam.errors import DeleteConflict, EntityAlreadyExists, InvalidAuthenticationCode, InvalidInput, NoSuchEntity
from sekisho.store.tables import AccountAlias, MfaDevice, Root, User

_SERIAL_LENGTH = 256
_DEVICES, _OWNERS = aliased(MfaDevice, flat=True), aliased(User, flat=True)
_SOMETHING = select(literal(1).label("row")).subquery()
_OWNER = (
    # One row, also for a device that is not there: to read one more would take time that tells.
    select(_DEVICES.name, _DEVICES.path, _OWNERS.name.label("owner"))
    .select_from(_SOMETHING)
    .outerjoin(_DEVICES, (_DEVICES.account_id == bindparam("account_id")) & (_DEVICES.name_key == bindparam("name_key")))
    .outerjoin(_OWNERS, _OWNERS.id == _DEVICES.user_id)
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
    row = call.session.execute(_OWNER, {"account_id": call.account_id, "name_key": key}).one()
    owner = row.owner if named is not None and (row.name, row.path) == (named.name, named.path) else None
    return replace(entities.resource(call, User, request, owner or ""), named=serial_number)


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
    row = _find(call, request.serial_number)
    if row.user_id is not None:
        raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteVirtualMFADeviceResponse()


@operation
def list_virtual_mfa_devices(call: Call, request: pb.ListVirtualMFADevicesRequest) -> pb.ListVirtualMFADevicesResponse:
    """By name, without tags and seeds."""
    assigned = {"Assigned": [MfaDevice.user_id.is_not(None)], "Unassigned": [MfaDevice.user_id.is_(None)]}
    found = entities.page_by_name(call, request, MfaDevice, *assigned.get(request.assignment_status, ()))
    shown = [_message(call, row) for row in found.rows]
    return pb.ListVirtualMFADevicesResponse(virtual_mfa_devices=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def enable_mfa_device(call: Call, request: pb.EnableMFADeviceRequest) -> pb.EnableMFADeviceResponse:
    """At most eight a user. Neither code can be used again."""
    user = entities.find(call, User, request.user_name)
    row = _find(call, request.serial_number)
    if row.user_id is not None:
        raise EntityAlreadyExists("MFA Device is already in use.")
    quotas.check("MFADevicesPerUserQuota", len(_of_user(call, user)) + 1)
    row.last_step, row.drift = _prove(call, row, request, window=one_time.WINDOW), 0
    row.user_id, row.enabled_at, row.failures = user.id, call.now, 0
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
    """Codes that the device has shown stay used."""
    user = users.find_named_or_own(call, request.user_name)
    row = _of(call, user, request.serial_number)
    row.user_id = row.enabled_at = None
    return pb.DeactivateMFADeviceResponse()


@operation
def list_mfa_devices(call: Call, request: pb.ListMFADevicesRequest) -> pb.ListMFADevicesResponse:
    """By name."""
    user = users.find_named_or_own(call, request.user_name)
    found = entities.page_by_name(call, request, MfaDevice, MfaDevice.user_id == user.id)
    shown = [
        pb.MFADevice(user_name=user.name, serial_number=entities.arn_of(row), enable_date=entities.seconds(row.enabled_at))
        for row in found.rows
    ]
    return pb.ListMFADevicesResponse(mfa_devices=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def get_mfa_device(call: Call, request: pb.GetMFADeviceRequest) -> pb.GetMFADeviceResponse:
    """With a name, only if it is that user's."""
    row = _find(call, request.serial_number)
    if request.user_name:
        _of(call, entities.find(call, User, request.user_name), request.serial_number)
    user = call.session.get(User, row.user_id) if row.user_id is not None else None
    return pb.GetMFADeviceResponse(
        user_name=user.name if user is not None else None,
        serial_number=entities.arn_of(row),
        enable_date=entities.seconds(row.enabled_at),
    )


@operation
def tag_mfa_device(call: Call, request: pb.TagMFADeviceRequest) -> pb.TagMFADeviceResponse:
    """The keys of a device's tags differ by case."""
    tags.put(call, _find(call, request.serial_number), request.tags)
    return pb.TagMFADeviceResponse()


@operation
def untag_mfa_device(call: Call, request: pb.UntagMFADeviceRequest) -> pb.UntagMFADeviceResponse:
    """A key that is not there is no error."""
    tags.remove(call, _find(call, request.serial_number), request.tag_keys)
    return pb.UntagMFADeviceResponse()


@operation
def list_mfa_device_tags(call: Call, request: pb.ListMFADeviceTagsRequest) -> pb.ListMFADeviceTagsResponse:
    """By key."""
    return tags.respond(call, request, _find(call, request.serial_number), pb.ListMFADeviceTagsResponse)


def _prove(call: Call, row: MfaDevice, request: pb.EnableMFADeviceRequest | pb.ResyncMFADeviceRequest, *, window: int) -> int:
    """The step of the second of the request's codes; InvalidAuthenticationCode when the device does not show them one after the other."""
    seed = one_time.unseal(row.id, row.seed, call.node.ring)
    codes = request.authentication_code1, request.authentication_code2
    step = one_time.pair(seed, *codes, call.now, window=window, after=row.last_step)
    if step is None:
        raise InvalidAuthenticationCode("Authentication code for device is not valid.")
    return step


def _lookup(call: Call, serial_number: str) -> MfaDevice | None:
    """The device of a serial number; path and spelling must be its own."""
    return call.row(MfaDevice, serial_number) if serial_number.startswith("arn:") else None


def _find(call: Call, serial_number: str) -> MfaDevice:
    row = _lookup(call, serial_number)
    if row is None:
        raise NoSuchEntity(f"MFA Device with serial number {serial_number} does not exist.")
    return row


def _of(call: Call, user: User | Root, serial_number: str) -> MfaDevice:
    """The device, if it is this user's."""
    row = _find(call, serial_number)
    if row.user_id != user.id:
        raise NoSuchEntity("MFA Device invalid for user.")
    return row


def _of_user(call: Call, user: User) -> list[MfaDevice]:
    return list(call.session.scalars(select(MfaDevice).where(MfaDevice.user_id == user.id)))


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
