"""Errors as gRPC says them: a status with google.rpc.ErrorInfo, the reason in UPPER_SNAKE and the AWS code in its metadata."""

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sekisho.errors import SekishoError

DOMAIN = "sekisho"
_MESSAGE = 4096  # characters; a status travels in HTTP/2 trailers, whose size clients bound


def of(error: SekishoError, request_id: str) -> grpc.Status:
    """The status of an error, for `abort_with_status`."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={"code": error.code, "request_id": request_id})
    detail = any_pb2.Any()
    detail.Pack(info)
    code = getattr(grpc.StatusCode, error.grpc).value[0]
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.message[:_MESSAGE] or error.code, details=[detail]))
