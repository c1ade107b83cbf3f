"""The names of errors in a service, and their statuses."""

from typing import Any

import pytest

from sekisho.edges.aws import faults
from sekisho.edges.aws.errors import RequestEntityTooLarge, Serialization, UnknownOperation
from sekisho.errors import NotFound, ResourceExhausted, SekishoError, ServiceFailure, Unauthenticated, Unimplemented
from tests.edges.aws import toys


class LimitExceeded(ResourceExhausted):
    """Of whom the model has a code and a status."""


class Special(LimitExceeded):
    """Which the model does not know."""


class NoSuchEntity(NotFound):
    """Of whom the model has the name alone."""


class ExpiredToken(Unauthenticated):
    """Which all services say alike."""


class Own(NotFound):
    """Which nobody else knows."""


SHAPES = {
    "LimitExceededException": toys.structure({"message": "Text"}, exception=True, error={"code": "LimitExceeded", "httpStatusCode": 409}),
    "NoSuchEntityException": toys.structure({"Reason": "Text", "Message": "Text"}, exception=True),
    "ExpiredTokenException": toys.structure({"Message": "Text"}, exception=True, error={"code": "Other", "httpStatusCode": 418}),
    "OwnException": toys.structure({"Message": "Text"}),
    "ServiceFailure": toys.structure({"Reason": "Text"}, exception=True),
}

SAID: list[tuple[SekishoError, str, int, int, str]] = [
    (LimitExceeded("x"), "LimitExceeded", 409, 409, "message"),
    (Special("x"), "LimitExceeded", 409, 409, "message"),
    (NoSuchEntity("x"), "NoSuchEntityException", 404, 400, "Message"),
    (ExpiredToken("x"), "ExpiredTokenException", 403, 400, "message"),
    (Own("x"), "Own", 404, 400, "message"),
    (UnknownOperation("x"), "UnknownOperationException", 400, 400, "message"),
    (RequestEntityTooLarge("x"), "RequestEntityTooLarge", 413, 413, "message"),
    (ServiceFailure("x"), "ServiceFailure", 500, 500, "message"),
    (Unimplemented("x"), "Unimplemented", 501, 501, "message"),
]


def model() -> Any:
    return toys.model("json", shapes=SHAPES)


@pytest.mark.parametrize(("error", "code", "status", "of_json", "said_as"), SAID)
def test_error_is_said(error: SekishoError, code: str, status: int, of_json: int, said_as: str) -> None:
    assert faults.Faults(model(), {**faults.JSON}).of(error) == faults.Fault(
        code, status, "x", {}, said_as if code != "ExpiredTokenException" else "message"
    )
    assert faults.Faults(model(), faults.JSON, 400).of(error).status == of_json


def test_without_a_model_all_services_share_the_names() -> None:
    known = faults.Faults(None, faults.QUERY)
    assert (known.of(Serialization("x")).code, known.of(UnknownOperation("x")).code) == ("MalformedInput", "InvalidAction")
    assert (known.of(ServiceFailure("x")).code, known.of(NoSuchEntity("x")).code) == ("InternalFailure", "NoSuchEntity")


def test_a_code_is_a_name_as_well() -> None:
    class Other(NotFound):
        """As an error's code is."""

    assert faults.Faults(model(), {}).of(Other("x")) == faults.Fault("Other", 418, "x", {}, "Message")
