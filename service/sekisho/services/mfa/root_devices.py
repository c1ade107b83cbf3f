"""MFA devices of root users, which on AWS are enabled in the console."""

from sekisho.api.mfa.v1 import root_devices_pb2 as pb
from sekisho.calls import devices
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.errors import AccessDenied
from sekisho.operations import operation
from sekisho.services.mfa import owners
from sekisho.services.mfa.errors import EntityAlreadyExists, InvalidAuthenticationCode, NoSuchEntity
from sekisho.store.tables import Root


@operation
def enable_root_device(call: Call, request: pb.EnableRootDeviceRequest) -> pb.EnableRootDeviceResponse:
    """For the root user alone: who gave it a device would have a part of its credentials. Neither code can be used again."""
    root = call.session.get(Root, call.account_id)
    if root is None or call.caller.subject.id != root.id or call.caller.principal.kind != "root":
        raise AccessDenied("Only the root user can enable an MFA device for itself.")
    row = devices.get_device(call.session, call.account_id, request.serial_number)
    if row is None:
        raise NoSuchEntity(f"MFA Device with serial number {request.serial_number} does not exist.")
    if devices.owner_id(row) is not None:
        raise EntityAlreadyExists("MFA Device is already in use.")
    owners.refuse_more(call, root)
    codes = request.authentication_code1, request.authentication_code2
    step = one_time.pair(devices.seed(row, call.node.ring), *codes, call.now, after=row.last_step)
    if step is None:
        raise InvalidAuthenticationCode("Authentication code for device is not valid.")
    devices.give(row, root)
    row.last_step, row.drift, row.enabled_at, row.failures = step, 0, call.now, 0
    return pb.EnableRootDeviceResponse()
