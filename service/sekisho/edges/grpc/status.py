"""Errors as gRPC says them: a status with google.rpc.ErrorInfo, the reason in UPPER_SNAKE and the AWS code in its metadata."""

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sekisho.errors import SekishoError

DOMAIN = "sekisho"
REQUEST_ID = "sekisho-request-id"
_ROOM = 6_500  # bytes of a status in HTTP/2 trailers; clients of grpcio drop trailers over 8 KiB at random, with status and all


def of(error: SekishoError, request_id: str) -> grpc.Status:
    """The status of an error, for `abort_with_status`."""
    known = {"code": error.code, "request_id": request_id, **error.members}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=known)
    detail = any_pb2.Any()
    detail.Pack(info)
    message = _fitting(error.message or error.code)
    code = getattr(grpc.StatusCode, error.grpc).value[0]
    made: Any = rpc_status.to_status(status_pb2.Status(code=code, message=message, details=[detail]))
    # What the context was told of trailing metadata is replaced by the status's own.
    found: grpc.Status = made._replace(trailing_metadata=(*made.trailing_metadata, (REQUEST_ID, request_id)))
    return found


def _fitting(message: str) -> str:
    """The message, cut so that it fits into trailers, where it stands twice: percent-encoded, and in base64 within the details."""
    while (size := _size(message)) > _ROOM:
        message = message[: len(message) * _ROOM // size - 1] + "…"
    return message


def _size(message: str) -> int:
    data = message.encode()
    return sum(1 if 32 <= byte < 127 and byte != 37 else 3 for byte in data) + len(data) * 4 // 3
