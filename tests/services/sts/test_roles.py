"""Roles as those find them who would assume one: of a world in a dictionary."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import ValidationError
from sekisho.services.sts import roles
from sekisho.world import AccountRecord, PrincipalRecord
from tests.calls.fakes import ACCOUNT, ROLE, ROLE_ARN, USER_ARN, FakeNode, attached

TRUST = attached("sts:AssumeRole")
MOMENT = datetime(2026, 3, 1, 13, 0, 0, tzinfo=UTC)


def role(**fields: Any) -> PrincipalRecord:
    """The role of the fake world, with a trust policy."""
    given: dict[str, Any] = {"id": ROLE, "account_id": ACCOUNT, "kind": "role", "name": "deploy", "arn": ROLE_ARN, "trust": TRUST}
    return PrincipalRecord(**given | fields)


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode()
    made.world.put(role())
    return made


@pytest.mark.parametrize("text", ["", "role", "arn:aws:iam", "arn:aws"])
def test_what_is_no_arn_names_no_role(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        roles.refuse_no_arn(text)
    assert caught.value.message == f"{text} is invalid"


@pytest.mark.parametrize("text", [ROLE_ARN, USER_ARN, "arn:aws:iam::111122223333:role/none", "arn:aws:s3:::b"])
def test_any_arn_may_be_asked_for(text: str) -> None:
    roles.refuse_no_arn(text)


def test_a_role_of_an_active_account_is_found(node: FakeNode) -> None:
    assert roles.stand_in(node.call(), ROLE_ARN) == role()


NONE = "arn:aws:iam::111122223333:role/none"


@pytest.mark.parametrize("text", [NONE, ROLE_ARN.replace("/ci", ""), USER_ARN, "arn:aws:s3:::b", ROLE_ARN.replace(ACCOUNT, "9" * 12)])
def test_in_the_place_of_what_is_no_role_stands_one_that_trusts_nobody(node: FakeNode, text: str) -> None:
    looked: list[str] = []
    get_record = node.world.get_record

    def noted(id_: str) -> Any:
        looked.append(id_)
        return get_record(id_)

    node.world.get_record = noted
    found = roles.stand_in(node.call(), text)
    assert found.trust is roles.TRUSTS_NOBODY
    account = text.split(":")[4]
    assert (found.account_id, found.kind, found.name, found.arn) == (account, "role", "", text)
    assert re.fullmatch(r"AROA0[0-9A-F]{16}", found.id)
    assert looked[-2:] == [found.id, account], "it takes the same steps"
    assert roles.stand_in(node.call(), text).id == found.id
    assert roles.stand_in(node.call(), text + "x").id != found.id


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED", ""])
def test_a_role_of_another_account_than_an_active_one_is_not_there(node: FakeNode, status: str) -> None:
    call = node.call()
    node.world.put(AccountRecord(ACCOUNT, status))
    assert roles.stand_in(call, ROLE_ARN).trust is roles.TRUSTS_NOBODY
    del node.world.records[ACCOUNT]
    assert roles.stand_in(call, ROLE_ARN).trust is roles.TRUSTS_NOBODY


def test_what_stands_in_trusts_an_id_that_nobody_has() -> None:
    assert roles.TRUSTS_NOBODY.name == "AssumeRolePolicyDocument"
    assert '"AWS":"AIDA00000000000000000"' in roles.TRUSTS_NOBODY.program.text


CHAINED = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
TOO_LONG = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


@pytest.mark.parametrize(
    ("asked", "most", "chained", "wanted"),
    [
        (0, 3600, False, 3600),
        (0, 7200, True, 3600),
        (900, 3600, False, 900),
        (7200, 7200, False, 7200),
        (7201, 7200, False, TOO_LONG),
        (3600, 7200, True, 3600),
        (3601, 7200, True, CHAINED),
        (3601, 3600, True, CHAINED),
        (3601, 3600, False, TOO_LONG),
    ],
)
def test_how_long_a_session_lasts(asked: int, most: int, chained: bool, wanted: int | str) -> None:
    record = role(max_session_seconds=most)
    if isinstance(wanted, int):
        assert roles.seconds(asked, record, chained=chained) == wanted
        return
    with pytest.raises(ValidationError) as caught:
        roles.seconds(asked, record, chained=chained)
    assert caught.value.message == wanted


def test_the_credentials_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def issue(session: object, ring: object) -> sigv4.Credentials:
        given.extend((session, ring))
        return sigv4.Credentials("ASIA1", "secret", "token")

    monkeypatch.setattr(session_tokens, "issue", issue)
    session = Session("assumed-role", ACCOUNT, "role", ROLE, ROLE_ARN, MOMENT, year_after(MOMENT))
    made = roles.issue(SimpleNamespace(node=SimpleNamespace(ring="ring")), session)  # type: ignore[arg-type]
    assert (made.access_key_id, made.secret_access_key, made.session_token) == ("ASIA1", "secret", "token")
    assert made.expiration.ToDatetime(UTC) == session.expires_at
    assert given == [session, "ring"]


def year_after(moment: datetime) -> datetime:
    """A year later."""
    return moment.replace(year=moment.year + 1)


def test_whom_the_holder_of_a_session_acts_as() -> None:
    made = roles.assumed(replace(role(), name="deploy"), "build-7")
    assert made.assumed_role_id == f"{ROLE}:build-7"
    assert made.arn == "arn:aws:sts::111122223333:assumed-role/deploy/build-7"
