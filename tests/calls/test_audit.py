"""Records of a call: their words, the account to which they go, and secrets, which they hide wherever in a message they stand."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as authorize
from sekisho.api.iam.v1 import service_specific_credentials_pb2 as iam
from sekisho.calls import audit, identities, shown
from sekisho.calls.call import Call, Peer
from sekisho.errors import AccessDenied, SekishoError
from sekisho.journal.spool import Entry
from sekisho.operations import Resource
from sekisho.store import changes
from sekisho.store.tables.trail import UNSAID
from sekisho.world import Subject
from tests.calls.fakes import ACCOUNT, ANN, KEY, NOW, OTHER, ROLE, USER, USER_ARN, FakeNode, deploying
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


BOB = Resource(f"arn:aws:iam::{ACCOUNT}:user/bob")
THEIRS = Resource(f"arn:aws:iam::{OTHER}:role/guest")
PEER = Peer("192.0.2.1", "tests", secure=True, tls='{"tlsVersion":"TLSv1.3"}')


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Have each test name the resources itself."""
    audit._named.cache_clear()


def calling(name: str = "CreateUser", subject: Subject | None = ANN, **more: Any) -> Call:
    return FakeNode().call(name, subject, **{"peer": PEER} | more)


def named(resource: Resource, account: str, type_: str) -> dict[str, str]:
    return {"ARN": resource.arn, "accountId": account, "type": type_}


def test_a_record_says_all_of_a_call() -> None:
    call = calling(resources=(BOB, Resource("*"), BOB))
    request = call.operation.request(user_name="bob")
    response = call.operation.response(user={"user_name": "bob"})
    assert audit.event(call, request, response) == {
        "id": "r-1",
        "account_id": ACCOUNT,
        "at": NOW.isoformat(),
        "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser",
        "read_only": False,
        "principal_id": USER,
        "principal_arn": USER_ARN,
        "access_key_id": KEY,
        "source_ip": "192.0.2.1",
        "user_agent": "tests",
        "request": '{"userName": "bob"}',
        "response": '{"user": {"userName": "bob"}}',
        "error_code": None,
        "error_message": None,
        "category": "Management",
        "event_type": "AwsApiCall",
        "region": "us-east-1",
        "username": "ann",
        "identity": identities.of(call.caller).text,
        "resources": json.dumps([named(BOB, ACCOUNT, "AWS::IAM::User")]),
        "tls": '{"tlsVersion":"TLSv1.3"}',
        "shared_id": None,
    }


@pytest.mark.parametrize(("name", "read_only"), [("CreateUser", False), ("GetUser", True), ("GetSessionToken", True), ("Authorize", True)])
def test_what_writes_is_not_read_only(name: str, read_only: bool) -> None:
    assert audit.event(calling(name), None, None)["read_only"] is read_only


def test_a_record_of_a_failure_says_it_shortly_and_without_a_response() -> None:
    record = audit.event(calling(), None, None, AccessDenied("a\0b" + "c" * 2048))
    assert (record["error_code"], record["error_message"]) == ("AccessDenied", "a\ufffdb" + "c" * 2045)
    assert (record["request"], record["response"]) == ("{}", "{}")


@pytest.mark.parametrize(("length", "shown"), [(255, 255), (256, 256), (257, 256)])
def test_a_user_agent_is_shown_up_to_a_length(length: int, shown: int) -> None:
    assert audit.event(calling(peer=Peer("", "a" * length)), None, None)["user_agent"] == "a" * shown


def test_a_connection_of_which_nothing_is_known_has_no_tls() -> None:
    record = audit.event(calling(peer=Peer()), None, None)
    assert (record["tls"], record["source_ip"], record["resources"]) == (UNSAID["tls"], "", "[]")


VOUCHED = identities.Vouched("WebIdentityUser", "accounts.example.com:app:7", "7", "accounts.example.com")


@pytest.mark.parametrize(
    ("vouched", "principal_id", "identity"), [(None, "", identities.NOBODY), (VOUCHED, "accounts.example.com:app:7", VOUCHED.identity)]
)
def test_a_record_of_a_call_that_nobody_signed_is_of_the_account_that_it_is_about(vouched: Any, principal_id: str, identity: Any) -> None:
    call = calling("AssumeRoleWithWebIdentity", subject=None, recipient=OTHER, vouched=vouched, resources=(THEIRS,))
    (record,) = audit.events(call, None, None)
    assert (record["account_id"], record["principal_id"], record["principal_arn"], record["access_key_id"]) == (OTHER, principal_id, "", "")
    assert (record["identity"], record["username"], record["shared_id"]) == (*identity, None)
    assert json.loads(record["resources"]) == [named(THEIRS, OTHER, "AWS::IAM::Role")]


def test_nobody_else_hears_of_a_call_that_nobody_signed() -> None:
    call = calling("AssumeRoleWithWebIdentity", subject=None, recipient=ACCOUNT, resources=(THEIRS,))
    (record,) = audit.events(call, None, None)
    assert (record["account_id"], record["shared_id"]) == (ACCOUNT, None)


def test_other_accounts_hear_of_the_use_of_their_resources() -> None:
    third = Resource("arn:aws:iam::000011112222:role/third")
    nobodys = Resource("arn:aws:orders:::order/1")
    call = calling("AssumeRole", deploying(), resources=(THEIRS, BOB, third, nobodys, THEIRS))
    request, response = call.operation.request(role_arn=THEIRS.arn), call.operation.response()
    first, *others = audit.events(call, request, response)
    assert first == audit.event(call, request, response) | {"shared_id": "r-1"}
    assert [one["ARN"] for one in json.loads(first["resources"])] == [THEIRS.arn, BOB.arn, third.arn, nobodys.arn]
    assert [other["account_id"] for other in others] == ["000011112222", OTHER]
    for other, resource in zip(others, (third, THEIRS), strict=True):
        differing = {name for name in first if first[name] != other[name]}
        assert differing == {"id", "account_id", "principal_arn", "access_key_id", "username", "identity", "resources"}
        assert (other["principal_arn"], other["access_key_id"], other["username"]) == ("", "", "")
        assert other["principal_id"] == f"{ROLE}:build-7"
        assert other["identity"] == identities.elsewhere(call.caller).text
        assert json.loads(other["resources"]) == [named(resource, other["account_id"], "AWS::IAM::Role")]
    assert len({first["id"], *(other["id"] for other in others)}) == 3
    again = audit.events(call, request, response)
    assert [other["id"] for other in again] == [first["id"], *(other["id"] for other in others)]


@pytest.mark.parametrize(
    ("name", "resources", "records"),
    [
        ("AssumeRole", (THEIRS,), 2),
        ("CreateUser", (THEIRS,), 2),
        ("GetUser", (THEIRS,), 1),
        ("Authorize", (THEIRS,), 1),
        ("AssumeRole", (), 1),
        ("AssumeRole", (BOB,), 1),
        ("AssumeRole", (Resource("arn:aws:orders:::order/1"), Resource("arn:aws:iam::aws:policy/p")), 1),
    ],
)
def test_nobody_else_hears_of_other_calls(name: str, resources: tuple[Resource, ...], records: int) -> None:
    found = audit.events(calling(name, resources=resources), None, None)
    assert len(found) == records
    assert found[0]["shared_id"] == ("r-1" if records > 1 else None)


def test_an_entry_of_the_spool_is_alike_by_who_called_what_with_which_error() -> None:
    for error, code in ((None, ""), (AccessDenied("no"), "AccessDenied")):
        record = audit.event(calling(), None, None, error)
        entry = audit.entry(record)
        assert json.loads(entry.body) == record
        assert (entry.kind, entry.number, entry.account) == ("audit", 0, ACCOUNT)
        assert entry.alike == (USER, "iam.amazonaws.com", "CreateUser", code)


def test_what_comes_by_the_spool_is_a_row_of_one_call_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(changes, "spooled", lambda session, rows: written.append((session, rows)))
    session: Any = object()
    audit.deliver(session, [])
    assert written == []
    later = NOW + timedelta(minutes=1)
    record = audit.event(calling(), None, None)
    audit.deliver(session, [record, record | {"count": 7, "last_at": later.isoformat()}])
    one = record | {"at": NOW, "count": 1, "last_at": None}
    assert written == [(session, [one, one | {"count": 7, "last_at": later}])]
    assert audit.columns(record) == record | {"at": NOW}


@pytest.fixture
def same(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """The remembered records of reads: none yet."""
    kept: dict[Any, Any] = {}
    monkeypatch.setattr(audit, "_same", kept)
    return kept


def test_a_record_of_a_read_is_that_of_the_call_though_most_of_it_is_remembered(same: dict[Any, Any]) -> None:
    made = [
        calling("GetUser", resources=(BOB,)),
        calling("GetUser", resources=(BOB, THEIRS)),
        calling("ListUsers"),
        calling("GetUser", deploying()),
        calling("GetUser", peer=Peer("192.0.2.2", 'an "odd" \\ agent é')),
        calling("GetUser"),
    ]
    made[1].request_id, made[1].now = 'r-"2"', NOW + timedelta(seconds=1)
    for number, call in enumerate(made):
        field = "path_prefix" if call.operation.name == "ListUsers" else "user_name"
        request = call.operation.request(**{field: f'/"\\é{number}'})
        read, whole = audit.entry_of_read(call, request), audit.entry(audit.event(call, request, None))
        assert json.loads(read.body) == json.loads(whole.body)
        assert json.loads(read.body, object_pairs_hook=len) == len(json.loads(whole.body)), "a name stands there once"
        assert read._replace(body="") == whole._replace(body="")
    assert len(same) == 4


def test_a_caller_whom_nobody_knows_any_more_is_another(same: dict[Any, Any]) -> None:
    call = calling("GetUser")
    audit.entry_of_read(call, call.operation.request())
    call.acting = replace(call.caller, subject=replace(ANN, access_key_id="AKIAOTHER"))
    assert json.loads(audit.entry_of_read(call, call.operation.request()).body)["access_key_id"] == "AKIAOTHER"


def test_so_many_callers_are_remembered_and_then_none(same: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT", 3)
    sizes = []
    for number in range(5):
        call = calling("GetUser", peer=Peer("", f"agent {number}"))
        audit.entry_of_read(call, call.operation.request())
        sizes.append(len(same))
    assert sizes == [1, 2, 3, 1, 2]
    for length, kept in ((257, 2), (256, 3)):
        call = calling("GetUser", peer=Peer("", "a" * length))
        body = json.loads(audit.entry_of_read(call, call.operation.request()).body)
        assert (body["user_agent"], len(same)) == ("a" * 256, kept)
