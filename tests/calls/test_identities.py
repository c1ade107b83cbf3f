"""The caller is shown as CloudTrail shows it, for each way to call."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import audit, identities, pipeline
from sekisho.calls.call import Peer
from sekisho.credentials import accounts
from sekisho.errors import ServiceFailure
from sekisho.world import SessionFacts, Subject
from tests.calls import fakes
from tests.harness import House, house

ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@pytest.fixture
def made(tmp_path: Path) -> Iterator[House]:
    with house(f"sqlite:///{tmp_path / 'house.db'}", tmp_path) as one:
        yield one


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[audit.Event]:
    """The records that calls make, in their order."""
    found: list[audit.Event] = []
    make = audit.events

    def kept(*given: Any) -> list[audit.Event]:
        records = make(*given)
        found.extend(records)
        return records

    monkeypatch.setattr(audit, "events", kept)
    return found


def trust(*arns: str) -> str:
    """A trust policy for these principals."""
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Principal": {"AWS": list(arns)}}]})


def identity(event: audit.Event) -> dict[str, Any]:
    """The event's `userIdentity`, without the moment at which its session began, which is a time as events have it."""
    shown: dict[str, Any] = json.loads(event["identity"])
    created = shown.get("sessionContext", {}).get("attributes", {}).pop("creationDate", "2026-01-01T00:00:00Z")
    assert len(created) == 20
    assert created[10] == "T"
    assert created.endswith("Z")
    return shown


def test_a_root_user(made: House, events: list[audit.Event]) -> None:
    made.call("CreateUser", user_name="bob")
    assert identity(events[-1]) == {
        "type": "Root",
        "principalId": made.account_id,
        "arn": f"arn:aws:iam::{made.account_id}:root",
        "accountId": made.account_id,
        "accessKeyId": made.root.access_key_id,
    }
    assert events[-1]["username"] == "root"


def test_a_user_with_its_key_and_with_a_session_of_its_own(made: House, events: list[audit.Event]) -> None:
    ann = made.user("ann", ALL, path="/division/")
    user_id = made.call("GetUser", user_name="ann").user.user_id
    issued = made.call("GetSessionToken", _as=ann).credentials
    session = sigv4.Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    role = made.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{made.account_id}:user/division/ann"))
    made.assume(role.role.arn, _as=session)
    (alone, within) = (identity(event) for event in events if event["event_name"] in ("GetSessionToken", "AssumeRole"))
    expected = {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": f"arn:aws:iam::{made.account_id}:user/division/ann",
        "accountId": made.account_id,
        "userName": "ann",
    }
    assert alone == expected | {"accessKeyId": ann.access_key_id}
    assert within == expected | {
        "accessKeyId": session.access_key_id,
        "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
    }
    assert events[-1]["username"] == "ann"


def test_a_role_session_names_its_role_and_its_source(made: House, events: list[audit.Event]) -> None:
    ann = made.user("ann", ALL)
    fields: dict[str, Any] = {
        "role_name": "deploy",
        "path": "/ci/",
        "assume_role_policy_document": trust(f"arn:aws:iam::{made.account_id}:user/ann"),
    }
    role = made.call("CreateRole", **fields).role
    made.call("PutRolePolicy", role_name="deploy", policy_name="all", policy_document=ALL)
    session = made.assume(role.arn, "build-7", _as=ann, source_identity="ann")
    made.call("CreateUser", _as=session, user_name="bob")
    assert identity(events[-1]) == {
        "type": "AssumedRole",
        "principalId": f"{role.role_id}:build-7",
        "arn": f"arn:aws:sts::{made.account_id}:assumed-role/deploy/build-7",
        "accountId": made.account_id,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.role_id,
                "arn": f"arn:aws:iam::{made.account_id}:role/ci/deploy",
                "accountId": made.account_id,
                "userName": "deploy",
            },
            "attributes": {"mfaAuthenticated": "false"},
            "sourceIdentity": "ann",
        },
    }
    assert events[-1]["username"] == "build-7"


def test_a_federated_user_names_who_vouched_for_it(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = made.user("ann", ALL)
    user_id = made.call("GetUser", user_name="ann").user.user_id
    issued = made.call("GetFederationToken", _as=ann, name="visitor", policy=ALL).credentials
    session = sigv4.Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    entries: list[Any] = []
    monkeypatch.setattr(made.node.spool, "add", entries.append)
    with pytest.raises(Exception, match="Cannot call CreateUser with session credentials"):
        made.call("CreateUser", _as=session, user_name="bob")
    event = json.loads(entries[-1].body)
    assert identity(event) == {
        "type": "FederatedUser",
        "principalId": f"{made.account_id}:visitor",
        "arn": f"arn:aws:sts::{made.account_id}:federated-user/visitor",
        "accountId": made.account_id,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": user_id,
                "arn": f"arn:aws:iam::{made.account_id}:user/ann",
                "accountId": made.account_id,
                "userName": "ann",
            },
            "attributes": {"mfaAuthenticated": "false"},
        },
    }
    assert event["username"] == "visitor"


def test_another_account_sees_that_its_role_was_assumed(made: House, events: list[audit.Event]) -> None:
    """Both have the id; the owner of the role learns the caller's id and account alone."""
    other = made.account()
    account = made.call("GetCallerIdentity", _as=other).account
    ann = made.user("ann", ALL)
    user_id = made.call("GetUser", user_name="ann").user.user_id
    fields: dict[str, Any] = {"role_name": "guest", "assume_role_policy_document": trust(f"arn:aws:iam::{made.account_id}:user/ann")}
    role = made.call("CreateRole", _as=other, **fields).role
    events.clear()
    made.assume(role.arn, _as=ann)
    caller, owner = events
    assert caller["shared_id"] == owner["shared_id"] == caller["id"] != owner["id"]
    assert (caller["account_id"], owner["account_id"]) == (made.account_id, account)
    guest = {"ARN": f"arn:aws:iam::{account}:role/guest", "accountId": account, "type": "AWS::IAM::Role"}
    assert json.loads(caller["resources"]) == json.loads(owner["resources"]) == [guest]
    assert json.loads(owner["identity"]) == {"type": "AWSAccount", "principalId": user_id, "accountId": made.account_id}
    assert (owner["principal_arn"], owner["access_key_id"], owner["username"]) == ("", "", "")
    assert json.loads(caller["identity"])["arn"] == f"arn:aws:iam::{made.account_id}:user/ann"
    assert (caller["request"], caller["response"]) == (owner["request"], owner["response"])


def test_no_account_hears_of_a_role_that_was_not_assumed(made: House, events: list[audit.Event], monkeypatch: pytest.MonkeyPatch) -> None:
    other = made.account()
    account = made.call("GetCallerIdentity", _as=other).account
    ann = made.user("ann", ALL)
    entries: list[Any] = []
    monkeypatch.setattr(made.node.spool, "add", entries.append)
    events.clear()
    with pytest.raises(Exception, match="is not authorized to perform: sts:AssumeRole"):
        made.assume(f"arn:aws:iam::{account}:role/none", _as=ann)
    assert events == []
    (entry,) = [one for one in entries if one.kind == audit.KIND]
    event = json.loads(entry.body)
    assert (event["account_id"], event["shared_id"], event["error_code"]) == (made.account_id, None, "AccessDenied")
    named = {"ARN": f"arn:aws:iam::{account}:role/none", "accountId": account, "type": "AWS::IAM::Role"}
    assert json.loads(event["resources"]) == [named]


def test_each_resource_is_named_once_and_no_pattern(made: House, events: list[audit.Event]) -> None:
    made.call("CreateUser", user_name="ann", path="/a/", tags=[{"key": "k", "value": "v"}])
    ann = {"ARN": f"arn:aws:iam::{made.account_id}:user/a/ann", "accountId": made.account_id, "type": "AWS::IAM::User"}
    assert json.loads(events[-1]["resources"]) == [ann]
    made.call("CreateAccountAlias", account_alias="shop")
    assert events[-1]["resources"] == "[]"


def test_the_entry_of_a_read_is_that_of_its_record(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time, though most of it is remembered; and of another peer another."""
    ann = made.user("ann", ALL)
    calls: list[tuple[Any, Any]] = []
    monkeypatch.setattr(pipeline, "_note", lambda *given: calls.append(given))
    made.call("GetUser", _as=ann, user_name="ann")
    made.call("GetUser", _as=ann)
    made.call("GetUser", _as=ann, _peer=Peer("2001:db8::1", 'an "odd" \\ agent é', secure=True))
    made.call("ListUsers", _as=ann, path_prefix='/"\\/')
    assert len(calls) == 4
    for call, request in calls:
        read, whole = audit.entry_of_read(call, request), audit.entry(audit.event(call, request, None))
        assert json.loads(read.body) == json.loads(whole.body)
        assert read._replace(body="") == whole._replace(body="")


def test_made_up_user_agents_take_no_memory(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many somebody makes up, and however long they are."""
    monkeypatch.setattr(audit, "KEPT", 8)
    monkeypatch.setattr(audit, "_same", {})
    for number in range(20):
        made.call("GetUser", _peer=Peer("192.0.2.1", f"agent {number}"))
        assert 1 <= len(audit._same) <= 8
    audit._same.clear()
    made.call("GetUser", _peer=Peer("192.0.2.1", "a" * 257))
    assert audit._same == {}


def test_reads_and_who_calls_are_recorded_and_decisions_are_not(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = made.user("ann", ALL)
    entries: list[Any] = []
    monkeypatch.setattr(made.node.spool, "note", entries.append)
    made.call("GetUser", _as=ann)
    made.call("GetCallerIdentity", _as=ann)
    made.call("Authorize", _as=ann, principal_arn=f"arn:aws:iam::{made.account_id}:user/ann", action="a:B", resource="*")
    records = [json.loads(entry.body) for entry in entries]
    assert [(one["event_name"], one["read_only"], one["response"], one["error_code"]) for one in records] == [
        ("GetUser", True, "{}", None),
        ("GetCallerIdentity", True, "{}", None),
    ]


def test_a_read_whose_record_cannot_be_made_fails(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_entry: Any) -> None:
        raise OSError

    made.user("ann")
    monkeypatch.setattr(made.node.spool, "note", broken)
    with pytest.raises(ServiceFailure):
        made.call("GetUser", user_name="ann")


def test_another_account_sees_the_callers_id_and_account_alone(made: House, events: list[audit.Event]) -> None:
    other = House(made.node, accounts.create(made.node.database, made.node.ring))
    ann = other.user("ann", ALL)
    user_id = other.call("GetUser", user_name="ann").user.user_id
    role = made.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{other.account_id}:user/ann")).role
    other.assume(role.arn, _as=ann)
    first, shared = events[-2:]
    assert json.loads(shared["identity"]) == {"type": "AWSAccount", "principalId": user_id, "accountId": other.account_id}
    assert (shared["account_id"], shared["username"], shared["principal_arn"], shared["access_key_id"]) == (made.account_id, "", "", "")
    assert (first["account_id"], first["username"], first["shared_id"]) == (other.account_id, "ann", shared["shared_id"])


SESSION = {
    "sessionIssuer": {
        "type": "Role",
        "principalId": fakes.ROLE,
        "arn": fakes.ROLE_ARN,
        "accountId": fakes.ACCOUNT,
        "userName": "deploy",
    },
    "attributes": {"mfaAuthenticated": "false"},
}
OF_ACCOUNT = {"type": "Root", "principalId": fakes.ACCOUNT, "arn": f"arn:aws:iam::{fakes.ACCOUNT}:root", "accountId": fakes.ACCOUNT}
OF_USER = {"type": "IAMUser", "principalId": fakes.USER, "arn": fakes.USER_ARN, "accountId": fakes.ACCOUNT, "userName": "ann"}
ISSUED, BEGAN = datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC), "2026-03-01T11:00:07Z"


def of_user(kind: str, name: str = "", **facts: Any) -> Subject:
    return Subject(fakes.USER, fakes.ACCOUNT, fakes.KEY, SessionFacts(kind, name, **facts))


@pytest.mark.parametrize(
    ("subject", "context"),
    [
        (fakes.deploying(), SESSION),
        (fakes.deploying(mfa=False), SESSION),
        (fakes.deploying(mfa=True), SESSION | {"attributes": {"mfaAuthenticated": "true"}}),
        (
            fakes.deploying(issued_at=ISSUED),
            SESSION | {"attributes": {"creationDate": "2026-03-01T11:00:07Z", "mfaAuthenticated": "false"}},
        ),
        (fakes.deploying(source_identity="ann"), SESSION | {"sourceIdentity": "ann"}),
        (
            fakes.deploying(provider="accounts.example.com"),
            SESSION | {"webIdFederationData": {"federatedProvider": "accounts.example.com", "attributes": {}}},
        ),
        (of_user("session-token"), {"attributes": {"mfaAuthenticated": "false"}}),
        (
            of_user("federation", "visitor"),
            {
                "sessionIssuer": {
                    "type": "IAMUser",
                    "principalId": fakes.USER,
                    "arn": fakes.USER_ARN,
                    "accountId": fakes.ACCOUNT,
                    "userName": "ann",
                },
                "attributes": {"mfaAuthenticated": "false"},
            },
        ),
        (
            Subject(fakes.ACCOUNT, fakes.ACCOUNT, fakes.KEY, SessionFacts("federation", "visitor")),
            {"sessionIssuer": OF_ACCOUNT, "attributes": {"mfaAuthenticated": "false"}},
        ),
    ],
)
def test_what_a_session_rests_on(subject: Subject, context: dict[str, Any]) -> None:
    acting, _ = fakes.FakeWorld().acting(subject, fakes.NOW)
    shown = json.loads(identities.of(acting).text)
    assert shown["sessionContext"] == context
    assert list(shown["sessionContext"]) == [
        name for name in ("sessionIssuer", "webIdFederationData", "attributes", "sourceIdentity") if name in context
    ]
    assert list(shown["sessionContext"]["attributes"])[-1] == "mfaAuthenticated"


@pytest.mark.parametrize(
    ("subject", "shown", "username"),
    [
        (fakes.ANN, OF_USER | {"accessKeyId": fakes.KEY}, "ann"),
        (Subject(fakes.USER, fakes.ACCOUNT), OF_USER, "ann"),
        (Subject(fakes.ACCOUNT, fakes.ACCOUNT, fakes.KEY), OF_ACCOUNT | {"accessKeyId": fakes.KEY}, "root"),
        (
            Subject(fakes.ROLE, fakes.ACCOUNT),
            {"type": "Role", "principalId": fakes.ROLE, "arn": fakes.ROLE_ARN, "accountId": fakes.ACCOUNT},
            "deploy",
        ),
    ],
)
def test_a_caller_without_a_session(subject: Subject, shown: dict[str, Any], username: str) -> None:
    acting, _ = fakes.FakeWorld().acting(subject, fakes.NOW)
    found = identities.of(acting)
    assert (json.loads(found.text), found.username) == (shown, username)
    assert identities.of(acting) is found  # it is made once


@pytest.mark.parametrize(
    ("subject", "username"),
    [
        (fakes.deploying(), "build-7"),
        (of_user("session-token"), "ann"),
        (of_user("session-token", "named"), "named"),
        (of_user("federation", "visitor"), "visitor"),
        (Subject(fakes.ACCOUNT, fakes.ACCOUNT, fakes.KEY, SessionFacts("session-token", "named")), "root"),
    ],
)
def test_the_name_that_a_session_is_found_by(subject: Subject, username: str) -> None:
    acting, _ = fakes.FakeWorld().acting(subject, fakes.NOW)
    assert identities.of(acting).username == username


def test_a_caller_whose_arn_names_nothing_has_no_name() -> None:
    acting, _ = fakes.FakeWorld().acting(fakes.deploying(), fakes.NOW)
    acting = replace(acting, issuer="no ARN", principal=replace(acting.principal, kind="service-linked-role"))
    shown = json.loads(identities.of(acting).text)
    assert shown["type"] == "AssumedRole"
    assert shown["sessionContext"]["sessionIssuer"] == SESSION["sessionIssuer"] | {"arn": "no ARN", "userName": ""}


def test_whom_a_provider_vouches_for() -> None:
    vouched = identities.Vouched("WebIdentityUser", "accounts.example.com:app:7", "7", "accounts.example.com")
    assert json.loads(vouched.identity.text) == {
        "type": "WebIdentityUser",
        "principalId": "accounts.example.com:app:7",
        "userName": "7",
        "identityProvider": "accounts.example.com",
    }
    assert vouched.identity.username == "7"
    assert identities.NOBODY == ("{}", "")


def test_another_account_sees_a_session_by_its_id() -> None:
    acting, _ = fakes.FakeWorld().acting(fakes.deploying(), fakes.NOW)
    found = identities.elsewhere(acting)
    assert json.loads(found.text) == {"type": "AWSAccount", "principalId": f"{fakes.ROLE}:build-7", "accountId": fakes.ACCOUNT}
    assert found.username == ""
