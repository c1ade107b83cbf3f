"""Why a call does not reach its handler, and how that is said over gRPC and HTTP."""

import enum
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sekisho.client.errors import DOMAIN

DECISION_ID = "sekisho-decision-id"
"""Metadata over gRPC and a header over HTTP: what to look for in the logs of both services."""


class Kind(enum.Enum):
    """A refusal's gRPC status and HTTP status."""

    UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, 401)
    """Who calls could not be established."""
    DENIED = (grpc.StatusCode.PERMISSION_DENIED, 403)
    """It was decided, or it is not even to be asked: no rule, an unreadable field."""
    TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413)
    """More than may be read before a decision."""
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503)
    """No decision could be had."""

    @property
    def grpc(self) -> grpc.StatusCode:
        """Over gRPC."""
        return self.value[0]

    @property
    def http(self) -> int:
        """Over HTTP."""
        return self.value[1]


class Refused(Exception):  # noqa: N818  # an answer, not a defect
    """The call is refused; `message` is for its caller, `code` is AWS's error code, `decision_id` is empty where nothing was decided."""

    def __init__(self, kind: Kind, code: str, message: str, decision_id: str = "") -> None:
        super().__init__(message)
        self.kind, self.code, self.message, self.decision_id = kind, code, message, decision_id


def unauthenticated(code: str, message: str) -> Refused:
    """The caller gave no proof, or one that does not hold."""
    return Refused(Kind.UNAUTHENTICATED, code, message)


def denied(message: str, decision_id: str = "") -> Refused:
    """The caller may not."""
    return Refused(Kind.DENIED, "AccessDenied", message, decision_id)


def unavailable() -> Refused:
    """Nobody could say; the cause is for the service's own log."""
    return Refused(Kind.UNAVAILABLE, "ServiceUnavailable", "The request could not be authorized; try again later.")


_ROOM = 2_000  # characters: the message stands twice in the trailers, which are dropped over 8 KiB


def status(refused: Refused) -> grpc.Status:
    """The refusal for `abort_with_status`; clients of Sekisho read it as an error of Sekisho's own."""
    message = refused.message if len(refused.message) <= _ROOM else refused.message[:_ROOM] + "…"
    info = error_details_pb2.ErrorInfo(
        reason=refused.kind.grpc.name, domain=DOMAIN, metadata={"code": refused.code, "request_id": refused.decision_id}
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    made: Any = rpc_status.to_status(status_pb2.Status(code=refused.kind.grpc.value[0], message=message, details=[detail]))
    named = ((DECISION_ID, refused.decision_id),) if refused.decision_id else ()
    found: grpc.Status = made._replace(trailing_metadata=(*made.trailing_metadata, *named))
    return found
