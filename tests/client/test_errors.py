"""A failure becomes an exception of its kind, with AWS's code and the request id where our server gave them."""

import copy
import pickle

import pytest
from google.rpc import error_details_pb2

from sekisho import client as sekisho
from sekisho.client import Client, Credentials, Error, Retries
from tests.client.fake import Fake, plain, said, with_details

KINDS = {
    "INVALID_ARGUMENT": sekisho.InvalidArgument,
    "FAILED_PRECONDITION": sekisho.FailedPrecondition,
    "ALREADY_EXISTS": sekisho.AlreadyExists,
    "NOT_FOUND": sekisho.NotFound,
    "PERMISSION_DENIED": sekisho.Denied,
    "UNAUTHENTICATED": sekisho.Unauthenticated,
    "RESOURCE_EXHAUSTED": sekisho.ResourceExhausted,
    "UNAVAILABLE": sekisho.Unavailable,
    "DEADLINE_EXCEEDED": sekisho.TimedOut,
    "UNIMPLEMENTED": sekisho.Unimplemented,
    "INTERNAL": sekisho.Internal,
    "DATA_LOSS": Error,
}


@pytest.mark.parametrize("status", KINDS)
def test_a_status_becomes_its_kind(client: Client, fake: Fake, status: str) -> None:
    fake.replies = [said(status, "why", aws="NoSuchEntity")]
    with pytest.raises(Error) as raised:
        client.iam.get_user(user_name="alice")
    assert type(raised.value) is KINDS[status]
    assert (raised.value.code, raised.value.message, raised.value.request_id) == ("NoSuchEntity", "why", "r-1")
    assert str(raised.value) == "NoSuchEntity: why"
    assert raised.value.answered


def test_a_failure_of_a_proxy_has_no_request_id(client: Client, fake: Fake) -> None:
    fake.replies = [plain("PERMISSION_DENIED", "go away")]
    with pytest.raises(sekisho.Denied) as raised:
        client.iam.get_user(user_name="alice")
    assert (raised.value.code, raised.value.message, raised.value.request_id) == ("Denied", "go away", "")
    assert not raised.value.answered


def test_the_details_of_another_domain_are_not_ours(client: Client, fake: Fake) -> None:
    fake.replies = [said("NOT_FOUND", aws="NoSuchBucket", domain="example.com")]
    with pytest.raises(sekisho.NotFound) as raised:
        client.iam.get_user(user_name="alice")
    assert (raised.value.code, raised.value.answered) == ("NotFound", False)


def test_an_info_without_a_code_names_the_kind(client: Client, fake: Fake) -> None:
    fake.replies = [with_details("NOT_FOUND", "no", error_details_pb2.ErrorInfo(domain="sekisho"))]
    with pytest.raises(sekisho.NotFound) as raised:
        client.iam.get_user(user_name="alice")
    assert raised.value.code == "NotFound"


def test_nobody_listens() -> None:
    lonely = Client("127.0.0.1:1", Credentials("AKIAALICE", "secret"), retries=Retries(attempts=1))
    with lonely, pytest.raises(sekisho.Unavailable, match=r"127\.0\.0\.1:1 does not answer") as raised:
        lonely.authorize(action="orders:GetOrder", resource="*")
    assert raised.value.code == "Unavailable"


def test_an_answer_that_is_no_message_is_an_error(client: Client, fake: Fake) -> None:
    fake.replies = [b"\xff\xff"]
    with pytest.raises(sekisho.Internal, match=r"is not a sekisho.api.iam.v1.GetUserResponse"):
        client.iam.get_user(user_name="alice")


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])  # noqa: S301  # ours
def test_errors_survive_the_way_to_another_process(again: object) -> None:
    error = sekisho.NotFound("no alice", code="NoSuchEntity", request_id="r-1", answered=True)
    assert callable(again)
    other = again(error)
    assert type(other) is sekisho.NotFound
    assert (other.code, other.message, other.request_id, other.answered) == ("NoSuchEntity", "no alice", "r-1", True)
