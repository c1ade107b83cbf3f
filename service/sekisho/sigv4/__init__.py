"""AWS Signature Version 4, both sides of it, pure.

- an HTTP request with an `Authorization` header:  `read_http`, `verify_http`, `sign_http`
- an HTTP request presigned in its query string:   `read_http`, `verify_http`, `presign_http`
- a gRPC call, signed in its metadata:             `read_call`, `verify_call`, `sign_call`
- the answers to one, which is ours alone:         `verify_answer`, `sign_answer`
"""

from sekisho.sigv4.algorithm import SKEW, Credentials, Scope, Signed, format_time, parse_authorization
from sekisho.sigv4.answers import sign_answer, verify_answer
from sekisho.sigv4.calls import AUDIENCE, GRPC_SERVICE, NONCE, read_call, sign_call, verify_call
from sekisho.sigv4.errors import (
    ExpiredToken,
    IncompleteSignature,
    InvalidClientTokenId,
    MissingAuthenticationToken,
    OptInRequired,
    PresignedRefused,
    RequestExpired,
    RequestReplayed,
    SignatureDoesNotMatch,
)
from sekisho.sigv4.requests import MAX_EXPIRES, HttpRequest, presign_http, read_http, read_presigned, sign_http, verify_http

__all__ = [
    "Credentials",
    "Scope",
    "Signed",
    "HttpRequest",
    "read_http",
    "read_presigned",
    "verify_http",
    "sign_http",
    "presign_http",
    "read_call",
    "verify_call",
    "sign_call",
    "verify_answer",
    "sign_answer",
    "parse_authorization",
    "format_time",
    "AUDIENCE",
    "GRPC_SERVICE",
    "NONCE",
    "MAX_EXPIRES",
    "SKEW",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "PresignedRefused",
    "RequestExpired",
    "RequestReplayed",
    "SignatureDoesNotMatch",
]
