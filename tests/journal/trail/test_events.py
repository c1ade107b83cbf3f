"""Events are what CloudTrail makes of a call: each record beside the event that it is."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sekisho.journal.trail import events, resources
from sekisho.store.tables import AuditRecord

AT = datetime(2026, 3, 4, 6, 6, 7, 890123, tzinfo=timezone(timedelta(hours=1)))
ANN = (
    '{"type": "IAMUser", "principalId": "AIDAANN", "arn": "arn:aws:iam::111122223333:user/ann", "accountId": "111122223333",'
    ' "userName": "ann"}'
)


def record(**columns: Any) -> AuditRecord:
    """CreateUser of ann's, but for these columns."""
    usual: dict[str, Any] = {
        "id": "11111111-2222-3333-4444-555555555555",
        "account_id": "111122223333",
        "at": AT,
        "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser",
        "read_only": False,
        "principal_id": "AIDAANN",
        "principal_arn": "arn:aws:iam::111122223333:user/ann",
        "access_key_id": "AKIAANN",
        "source_ip": "192.0.2.7",
        "user_agent": "aws-cli/2",
        "request": '{"userName": "bob"}',
        "response": '{"user": {"userId": "AIDABOB"}}',
        "error_code": None,
        "error_message": None,
        "count": 1,
        "last_at": None,
        "category": "Management",
        "event_type": "AwsApiCall",
        "region": "us-east-1",
        "username": "ann",
        "identity": ANN,
        "resources": '[{"ARN": "arn:aws:iam::111122223333:user/bob", "accountId": "111122223333", "type": "AWS::IAM::User"}]',
        "tls": "{}",
        "shared_id": None,
    }
    return AuditRecord(**usual | columns)


WRITTEN: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAANN",
        "arn": "arn:aws:iam::111122223333:user/ann",
        "accountId": "111122223333",
        "userName": "ann",
    },
    "eventTime": "2026-03-04T05:06:07Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2",
    "requestParameters": {"userName": "bob"},
    "responseElements": {"user": {"userId": "AIDABOB"}},
    "requestID": "11111111-2222-3333-4444-555555555555",
    "eventID": "11111111-2222-3333-4444-555555555555",
    "readOnly": False,
    "resources": [{"ARN": "arn:aws:iam::111122223333:user/bob", "accountId": "111122223333", "type": "AWS::IAM::User"}],
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}


def test_a_write_has_all_members_in_the_order_of_cloudtrail() -> None:
    made = events.event(record())
    assert made == WRITTEN
    assert list(made) == list(WRITTEN)


def test_a_read_without_parameters_and_resources() -> None:
    made = events.event(record(event_name="GetUser", read_only=True, request="{}", response="{}", resources="[]"))
    assert made == {key: value for key, value in WRITTEN.items() if key != "resources"} | {
        "eventName": "GetUser",
        "readOnly": True,
        "requestParameters": None,
        "responseElements": None,
    }


def test_a_denial_says_why_and_answers_nothing() -> None:
    made = events.event(record(response="{}", error_code="AccessDenied", error_message="User: ann is not authorized"))
    assert made == WRITTEN | {"responseElements": None, "errorCode": "AccessDenied", "errorMessage": "User: ann is not authorized"}


def test_folded_denials_say_how_many_they_were() -> None:
    last = datetime(2026, 3, 4, 5, 7, 0, 5, tzinfo=UTC)
    made = events.event(record(response="{}", error_code="AccessDenied", error_message=None, count=41, last_at=last))
    assert made["additionalEventData"] == {"count": 41, "lastEventTime": "2026-03-04T05:07:00Z"}
    assert (made["errorCode"], made["errorMessage"]) == ("AccessDenied", "")


def test_the_record_of_another_account_shares_an_id_and_the_request() -> None:
    made = events.event(record(id="6666", account_id="444455556666", shared_id="11111111-2222-3333-4444-555555555555"))
    assert (made["eventID"], made["requestID"], made["sharedEventID"], made["recipientAccountId"]) == (
        "6666",
        "11111111-2222-3333-4444-555555555555",
        "11111111-2222-3333-4444-555555555555",
        "444455556666",
    )


def test_a_decision_is_a_data_event_whose_outcome_is_beside_it() -> None:
    response = '{"decisionId": "d-1", "outcome": "ALLOWED"}'
    made = events.event(record(event_name="Authorize", category="Data", read_only=True, response=response))
    assert (made["eventCategory"], made["managementEvent"], made["responseElements"]) == ("Data", False, None)
    assert made["additionalEventData"] == {"decisionId": "d-1", "outcome": "ALLOWED"}


def test_what_came_over_tls_and_what_came_over_no_network() -> None:
    tls = '{"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}'
    assert events.event(record(tls=tls))["tlsDetails"] == {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}
    made = events.event(record(source_ip="", user_agent=""))
    assert (made["sourceIPAddress"], made["userAgent"]) == ("AWS Internal", "AWS Internal")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"principal_id": "111122223333", "principal_arn": "arn:aws:iam::111122223333:root", "access_key_id": "AKIA1"},
            {
                "type": "Root",
                "principalId": "111122223333",
                "arn": "arn:aws:iam::111122223333:root",
                "accountId": "111122223333",
                "accessKeyId": "AKIA1",
            },
        ),
        (
            {"principal_id": "AROA1:s", "principal_arn": "arn:aws:sts::111122223333:assumed-role/r/s", "access_key_id": ""},
            {
                "type": "AssumedRole",
                "principalId": "AROA1:s",
                "arn": "arn:aws:sts::111122223333:assumed-role/r/s",
                "accountId": "111122223333",
            },
        ),
        (
            {"principal_id": "local-operator", "principal_arn": "", "access_key_id": ""},
            {"type": "AWSService", "invokedBy": "local-operator"},
        ),
    ],
)
def test_the_caller_in_a_record_of_a_release_before_the_trail(columns: dict[str, str], expected: dict[str, str]) -> None:
    made = events.event(record(identity="{}", region="", **columns))
    assert (made["userIdentity"], made["awsRegion"]) == (expected, "us-east-1")


@pytest.mark.parametrize(
    ("arn", "shown", "names"),
    [
        (
            "arn:aws:iam::111122223333:role/a/b/r",
            {"ARN": "arn:aws:iam::111122223333:role/a/b/r", "accountId": "111122223333", "type": "AWS::IAM::Role"},
            ("arn:aws:iam::111122223333:role/a/b/r", "r"),
        ),
        (
            "arn:aws:organizations::111122223333:ou/o-1/ou-2",
            {
                "ARN": "arn:aws:organizations::111122223333:ou/o-1/ou-2",
                "accountId": "111122223333",
                "type": "AWS::Organizations::OrganizationalUnit",
            },
            ("arn:aws:organizations::111122223333:ou/o-1/ou-2", "ou-2"),
        ),
        ("arn:aws:shop:::cart", {"ARN": "arn:aws:shop:::cart", "accountId": ""}, ("arn:aws:shop:::cart", "cart")),
    ],
)
def test_a_resource_has_its_type_and_the_names_it_is_looked_up_by(arn: str, shown: dict[str, str], names: tuple[str, ...]) -> None:
    assert resources.shown(arn) == shown
    assert resources.names(shown) == names
