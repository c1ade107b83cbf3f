"""How our errors are called in one of AWS's services: by the error shapes of its model, else by the names that all services share.

`LimitExceeded` is `LimitExceeded` with 409 in IAM, because its `LimitExceededException` says so; in a JSON service it is the shape's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sekisho.errors import SekishoError, Unauthenticated

QUERY: Mapping[str, str] = MappingProxyType(
    {
        "ServiceFailure": "InternalFailure",
        "ServiceUnavailable": "ServiceUnavailable",
        "UnknownOperation": "InvalidAction",
        "Serialization": "MalformedInput",
        "InvalidArn": "ValidationError",
    }
)
"""Our class and the code that AWS's Query services share; who is not here keeps its name."""

JSON: Mapping[str, str] = MappingProxyType(
    {
        "AccessDenied": "AccessDeniedException",
        "ExpiredToken": "ExpiredTokenException",
        "IncompleteSignature": "IncompleteSignatureException",
        "InvalidClientTokenId": "UnrecognizedClientException",
        "MissingAuthenticationToken": "MissingAuthenticationTokenException",
        "RequestExpired": "RequestExpired",
        "SignatureDoesNotMatch": "InvalidSignatureException",
        "Serialization": "SerializationException",
        "ServiceFailure": "InternalFailure",
        "ServiceUnavailable": "ServiceUnavailableException",
        "Throttling": "ThrottlingException",
        "UnknownOperation": "UnknownOperationException",
        "ValidationError": "ValidationException",
        "InvalidArn": "ValidationException",
    }
)
"""The same for the JSON services."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as a service says it."""

    code: str
    status: int
    message: str
    members: Mapping[str, str] = field(default_factory=dict)  # that the error's shape has beside the message
    said_as: str = "message"  # the member that the message is


class Faults:
    """The errors of one service; without a model, those that are not of any service."""

    def __init__(self, model: Any, common: Mapping[str, str], client_status: int | None = None) -> None:
        self._common = common
        self._client_status = client_status  # what all errors of callers have that the model gives no status for
        self._modelled: dict[str, tuple[str, int | None]] = {}
        self._said_as: dict[str, str] = {}
        for shape in model.error_shapes if model is not None else ():
            traits = shape.metadata.get("error", {})
            found = (traits.get("code", shape.name), traits.get("httpStatusCode"))
            self._said_as[found[0]] = next((name for name in shape.members if name.lower() == "message"), "message")
            for name in (shape.name.removesuffix("Exception"), shape.name, found[0]):
                self._modelled.setdefault(name, found)

    def of(self, error: SekishoError) -> Fault:
        """The error in the service's words. Who could not be authenticated is told the same by all services."""
        code, status = self._named(error)
        if status is None:
            ours = error.http
            status = self._client_status if self._client_status is not None and ours < 500 and ours != 413 else ours
        return Fault(code, status, error.message, error.members, self._said_as.get(code, "message"))

    def _named(self, error: SekishoError) -> tuple[str, int | None]:
        modelled = {} if isinstance(error, Unauthenticated) else self._modelled
        for kind in type(error).__mro__:
            if (found := modelled.get(kind.__name__)) is not None:
                return found
            if (common := self._common.get(kind.__name__)) is not None:
                return common, None
        return error.code, None
