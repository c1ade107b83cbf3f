"""Errors as AWS's protocols say them: codes, statuses, texts, and what is refused before anything is called."""

from urllib.parse import urlencode

import pytest

from sekisho import errors as bases
from sekisho import sigv4
from sekisho.api.iam.v1 import users_pb2
from sekisho.edges.aws import errors, faults, parameters
from sekisho.edges.aws import shapes as pairs
from sekisho.errors import SekishoError, Throttling
from sekisho.services.iam import errors as iam
from sekisho.services.sts import errors as sts
from sekisho.sigv4 import HttpRequest
from tests.wire import shapes
from tests.wire.edge import FORM, HOST, VERSIONS, Edge, query, signed

IAM = faults.Faults(shapes.model("iam"), faults.QUERY)
STS = faults.Faults(shapes.model("sts"), faults.QUERY)
ORGANIZATIONS = faults.Faults(shapes.model("organizations"), faults.JSON, 400)

SAID = {
    "no_such_entity": (IAM, iam.NoSuchEntity(), "NoSuchEntity", 404),
    "already_exists": (IAM, iam.EntityAlreadyExists(), "EntityAlreadyExists", 409),
    "limit_exceeded": (IAM, iam.LimitExceeded(), "LimitExceeded", 409),
    "delete_conflict": (IAM, iam.DeleteConflict(), "DeleteConflict", 409),
    "malformed_policy": (IAM, bases.MalformedPolicyDocument(), "MalformedPolicyDocument", 400),
    "validation": (IAM, bases.ValidationError(), "ValidationError", 400),
    "invalid_input": (IAM, iam.InvalidInput(), "InvalidInput", 400),
    "denied": (IAM, bases.AccessDenied(), "AccessDenied", 403),
    "throttled": (IAM, Throttling(), "Throttling", 400),
    "failure_of_iam": (IAM, bases.ServiceFailure(), "ServiceFailure", 500),
    "failure_of_sts": (STS, bases.ServiceFailure(), "InternalFailure", 500),
    "unavailable": (IAM, bases.ServiceUnavailable(), "ServiceUnavailable", 503),
    "expired_credentials_of_iam": (IAM, sigv4.ExpiredToken(), "ExpiredToken", 403),
    "expired_credentials_of_sts": (STS, sigv4.ExpiredToken(), "ExpiredToken", 403),
    "unknown_key": (STS, sigv4.InvalidClientTokenId(), "InvalidClientTokenId", 403),
    "wrong_signature": (IAM, sigv4.SignatureDoesNotMatch(), "SignatureDoesNotMatch", 403),
    "incomplete_signature": (IAM, sigv4.IncompleteSignature(), "IncompleteSignature", 400),
    "unsigned": (IAM, sigv4.MissingAuthenticationToken(), "MissingAuthenticationToken", 403),
    "presigned_and_old": (STS, sigv4.RequestExpired(), "RequestExpired", 400),
    "region_disabled": (STS, sts.RegionDisabled(), "RegionDisabledException", 403),
    "not_implemented": (IAM, errors.NotImplemented(), "NotImplemented", 501),
    "json_denied": (ORGANIZATIONS, bases.AccessDenied(), "AccessDeniedException", 400),
    "json_validation": (ORGANIZATIONS, bases.ValidationError(), "ValidationException", 400),
    "json_unknown_key": (ORGANIZATIONS, sigv4.InvalidClientTokenId(), "UnrecognizedClientException", 400),
    "json_wrong_signature": (ORGANIZATIONS, sigv4.SignatureDoesNotMatch(), "InvalidSignatureException", 400),
    "json_throttled": (ORGANIZATIONS, Throttling(), "ThrottlingException", 400),
    "json_failure": (ORGANIZATIONS, bases.ServiceFailure(), "InternalFailure", 500),
    "json_too_large": (ORGANIZATIONS, errors.RequestEntityTooLarge(), "RequestEntityTooLarge", 413),
}


@pytest.mark.parametrize("name", SAID)
def test_error_has_the_code_and_status_of_aws(name: str) -> None:
    known, error, code, status = SAID[name]
    assert isinstance(error, SekishoError)
    fault = known.of(error)
    assert (fault.code, fault.status) == (code, status)


def test_body_of_an_error_is_aws_own(gateway: Edge) -> None:
    reply = gateway.call("iam", "GetUser", {"UserName": "nobody"})
    assert reply.status == 404
    assert reply.headers["content-type"] == "text/xml"
    assert reply.body == (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>'
        "<Message>The user with name nobody cannot be found.</Message></Error>"
        f"<RequestId>{reply.headers['x-amzn-requestid']}</RequestId></ErrorResponse>"
    )


def test_what_a_caller_wrote_is_escaped_in_an_error(gateway: Edge) -> None:
    role = f"arn:aws:iam::{gateway.house.account_id}:role/r"
    reply = gateway.call("sts", "AssumeRole", {"RoleArn": role, "RoleSessionName": "</Message>&\x01"})
    assert reply.code == "ValidationError"
    assert "&lt;/Message&gt;&amp;\ufffd" in reply.body


REFUSED = {
    "unknown_action": ({"Action": "Foo", "Version": "2010-05-08"}, "InvalidAction", 400),
    "no_version": ({"Action": "ListUsers"}, "InvalidAction", 400),
    "another_services_version": ({"Action": "ListUsers", "Version": "2011-06-15"}, "InvalidAction", 400),
    "no_action": ({"Version": "2010-05-08"}, "MissingAction", 400),
    "misspelt_action": ({"Action": "ResetServiceSpecificCredentials", "Version": "2010-05-08"}, "InvalidAction", 400),
    "unknown_parameter": ({"Action": "ListUsers", "Version": "2010-05-08", "Color": "red"}, "MalformedInput", 400),
    "unknown_parameter_inside": (
        {"Action": "CreateUser", "Version": "2010-05-08", "UserName": "u", "Tags.member.1.Color": "red"},
        "MalformedInput",
        400,
    ),
    "number_that_is_none": ({"Action": "ListUsers", "Version": "2010-05-08", "MaxItems": "ten"}, "MalformedInput", 400),
    "number_beyond_the_field": ({"Action": "ListUsers", "Version": "2010-05-08", "MaxItems": "99999999999"}, "MalformedInput", 400),
    "number_in_other_digits": ({"Action": "ListUsers", "Version": "2010-05-08", "MaxItems": "\u0661"}, "MalformedInput", 400),
    "structure_for_a_text": ({"Action": "GetUser", "Version": "2010-05-08", "UserName.member.1": "u"}, "MalformedInput", 400),
    "text_for_a_list": ({"Action": "CreateUser", "Version": "2010-05-08", "UserName": "u", "Tags": "red"}, "MalformedInput", 400),
    "list_with_a_gap": (
        {"Action": "UntagUser", "Version": "2010-05-08", "UserName": "u", "TagKeys.member.2": "a"},
        "MalformedInput",
        400,
    ),
    "list_from_zero": (
        {"Action": "UntagUser", "Version": "2010-05-08", "UserName": "u", "TagKeys.member.0": "a", "TagKeys.member.1": "b"},
        "MalformedInput",
        400,
    ),
    "value_above_others": (
        {"Action": "UntagUser", "Version": "2010-05-08", "TagKeys": "x", "TagKeys.member.1": "a"},
        "MalformedQueryString",
        400,
    ),
    "name_without_end": ({"Action": "ListUsers", "Version": "2010-05-08", ".".join("abcdefgh" * 8): "x"}, "MalformedQueryString", 400),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_never_ignored(name: str, method: str, gateway: Edge) -> None:
    members, code, status = REFUSED[name]
    text = urlencode(members)
    get = HttpRequest("GET", "/", text, (HOST,))
    request = get if method == "GET" else HttpRequest("POST", "/", "", (HOST, FORM), text.encode())
    reply = gateway.send(signed(request, gateway.house.root))
    assert (reply.code, reply.status) == (code, status)


def test_member_that_aws_has_and_we_have_not_is_refused(gateway: Edge) -> None:
    shape = shapes.model("iam").operation_model("UpdateRole").input_shape  # another operation's members
    pairing = pairs.Pairing().structure(shape, users_pb2.GetUserRequest.DESCRIPTOR)
    read = parameters.Readers().structure(pairing)
    with pytest.raises(errors.NotImplemented):
        read({"RoleName": "r"}, users_pb2.GetUserRequest(), "")
    with pytest.raises(errors.MalformedInput):
        read({"Nonsense": "r"}, users_pb2.GetUserRequest(), "")


def test_operation_that_aws_has_and_we_have_not_is_no_empty_success(gateway: Edge) -> None:
    missing = sorted(set(shapes.model("iam").operation_names) - VERSIONS.keys())
    for action in missing[:5]:
        reply = gateway.send(signed(query(action), gateway.house.root))
        assert (reply.code, reply.status) == ("NotImplemented", 501)


def test_too_many_parameters(gateway: Edge) -> None:
    members = {f"TagKeys.member.{number}": "x" for number in range(1, 8194)}
    assert gateway.send(signed(query("UntagUser", {"UserName": "u", **members}), gateway.house.root)).code == "MalformedQueryString"


@pytest.mark.parametrize("text", ["UserName=%ff", "UserName=%E2%82"])
def test_parameters_are_utf8(text: str, gateway: Edge) -> None:
    request = query("GetUser")
    broken = HttpRequest("POST", "/", "", request.headers, request.body + b"&" + text.encode())
    assert gateway.send(signed(broken, gateway.house.root)).code == "MalformedQueryString"


def test_body_of_another_kind_is_no_form(gateway: Edge) -> None:
    request = query("ListUsers")
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        other = HttpRequest("POST", "/", "", (HOST, ("content-type", kind)), request.body)
        assert gateway.send(signed(other, gateway.house.root)).code == "MalformedQueryString"


def test_body_of_two_mebibytes_is_refused_unread(gateway: Edge) -> None:
    request = query("CreateUser", {"UserName": "u" * (2 * 1024 * 1024)})
    reply = gateway.send(signed(request, gateway.house.root))
    assert (reply.status, reply.code, reply.headers["connection"]) == (413, "RequestEntityTooLarge", "close")


def test_the_kind_of_a_form_may_be_written_in_capitals(gateway: Edge) -> None:
    text = urlencode({"Action": "ListUsers", "Version": "2010-05-08"}).encode()
    request = HttpRequest("POST", "/", "", (HOST, ("content-type", "Application/X-WWW-Form-URLEncoded ; charset=utf-8")), text)
    assert gateway.send(signed(request, gateway.house.root)).status == 200
