"""Audit records hide secrets wherever in a message they stand."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as authorize
from sekisho.api.iam.v1 import service_specific_credentials_pb2 as iam
from sekisho.calls import shown
from sekisho.errors import SekishoError
from sekisho.journal.spool import Entry
from tests.harness import House, house

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@pytest.fixture
def made(database_url: str, tmp_path: Path) -> Iterator[House]:
    with house(database_url, tmp_path) as one:
        yield one


@pytest.fixture
def spooled(made: House, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """What is handed to the spool, to become audit records: kept here, where no thread takes it away."""
    entries: list[Entry] = []
    monkeypatch.setattr(made.node.spool, "add", entries.append)
    return entries


def test_every_item_of_a_list_is_redacted() -> None:
    message = authorize.AuthorizeBatchRequest(
        requests=[
            {"bearer_token": "first secret", "action": "a:b", "resource": "*"},
            {"signed_request": {"path": "/p", "body": b"second secret", "audience": "a", "headers": {"authorization": "third secret"}}},
            {"principal_arn": "arn:aws:iam::111122223333:user/ann", "action": "a:b"},
            {"bearer_token": "last secret"},
        ]
    )
    assert shown.plain(message) == {
        "requests": [
            {"bearerToken": HIDDEN, "action": "a:b", "resource": "*"},
            {"signedRequest": {"path": "/p", "body": HIDDEN, "audience": "a", "headers": HIDDEN}},
            {"principalArn": "arn:aws:iam::111122223333:user/ann", "action": "a:b"},
            {"bearerToken": HIDDEN},
        ]
    }


def test_what_is_hidden_in_one_message_is_shown_beside_it() -> None:
    message = iam.CreateServiceSpecificCredentialResponse(
        service_specific_credential={"service_user_name": "ann-at-1", "service_password": "secret", "user_name": "ann"}
    )
    assert shown.plain(message) == {
        "serviceSpecificCredential": {"serviceUserName": "ann-at-1", "servicePassword": HIDDEN, "userName": "ann"}
    }


def test_no_token_of_a_batch_that_is_refused_is_recorded(made: House, spooled: list[Entry]) -> None:
    nobody = made.user("nobody")
    questions = [{"bearer_token": f"token-number-{number}", "action": "orders:Ship", "resource": "*"} for number in range(5)]
    with pytest.raises(SekishoError) as caught:
        made.call("AuthorizeBatch", _as=nobody, requests=questions)
    assert caught.value.code == "AccessDenied"
    (entry,) = spooled
    record = json.loads(entry.body)
    assert (record["event_name"], record["error_code"]) == ("AuthorizeBatch", "AccessDenied")
    question = {"bearerToken": HIDDEN, "action": "orders:Ship", "resource": "*"}
    assert json.loads(record["request"]) == {"requests": [question] * 5}
