"""Hardware devices whose makers tell the seed. IAM's EnableMFADevice gives one to a user, as AWS's own are given."""

import uuid

from sqlalchemy import ColumnElement, func, select

from sekisho.api.mfa.v1 import hardware_devices_pb2 as pb
from sekisho.calls import devices, pages
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.operations import operation
from sekisho.services.mfa.errors import DeleteConflict, EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity
from sekisho.store import paging
from sekisho.store.tables import Authenticator, User
from sekisho.store.tables.mfa_devices import HARDWARE

MOST = 5000
"""Hardware devices of an account, as many as it can have virtual ones."""


@operation
def create_hardware_device(call: Call, request: pb.CreateHardwareDeviceRequest) -> pb.CreateHardwareDeviceResponse:
    """Nothing shows the seed again."""
    try:
        seed = one_time.parsed(request.base32_string_seed)
    except ValueError:
        raise InvalidInput(f"a seed is {one_time.LEAST_SEED} to {one_time.MOST_SEED} bytes in base32") from None
    if request.serial_number.lower().startswith("arn:"):
        raise InvalidInput("a hardware device has no ARN: its serial number is what stands on it")
    if devices.get_device(call.session, call.account_id, request.serial_number) is not None:
        raise EntityAlreadyExists("MFA device already exists.")
    if (call.session.scalar(select(func.count()).select_from(Authenticator).where(*_of(call))) or 0) >= MOST:
        raise LimitExceeded(f"Cannot exceed quota for MFADevicesPerAccount: {MOST}")
    id_ = uuid.uuid4().hex
    row = Authenticator(
        id=id_,
        account_id=call.account_id,
        kind=HARDWARE,
        serial=request.serial_number,
        created_at=call.now,
        seed=one_time.seal(id_, seed, call.node.ring, table=Authenticator.__tablename__),
    )
    call.add(row)
    return pb.CreateHardwareDeviceResponse(device=_message(call, row))


@operation
def delete_hardware_device(call: Call, request: pb.DeleteHardwareDeviceRequest) -> pb.DeleteHardwareDeviceResponse:
    """It must be nobody's."""
    row = devices.get_device(call.session, call.account_id, request.serial_number)
    if not isinstance(row, Authenticator) or row.kind != HARDWARE:
        raise NoSuchEntity(f"MFA Device with serial number {request.serial_number} does not exist.")
    if row.owner_id is not None:
        raise DeleteConflict("MFA device in use. Must deactivate first.")
    call.session.delete(row)
    return pb.DeleteHardwareDeviceResponse()


@operation
def list_hardware_devices(call: Call, request: pb.ListHardwareDevicesRequest) -> pb.ListHardwareDevicesResponse:
    """By serial number."""
    found = paging.page(
        call.session,
        select(Authenticator).where(*_of(call)),
        pages.cursor(call, request, place="marker", size="max_items"),
        key=[Authenticator.serial],
        of=lambda row: [row.serial],
        marker=request.marker,
        most=request.max_items,
    )
    shown = [_message(call, row) for row in found.rows]
    return pb.ListHardwareDevicesResponse(devices=shown, is_truncated=found.marker is not None, marker=found.marker)


def _of(call: Call) -> tuple[ColumnElement[bool], ...]:
    return (Authenticator.account_id == call.account_id, Authenticator.kind == HARDWARE)


def _message(call: Call, row: Authenticator) -> pb.HardwareDevice:
    owner = call.session.get(User, row.owner_id) if row.owner_id is not None else None
    return pb.HardwareDevice(
        serial_number=row.serial,
        user_name=owner.name if owner is not None else None,
        enable_date=row.enabled_at.replace(microsecond=0) if row.enabled_at is not None else None,
    )
