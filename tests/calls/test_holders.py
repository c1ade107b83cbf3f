"""The caller's credentials as an identity token carries them: all of its session, or no token."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sekisho import policy, world
from sekisho.calls import holders, signers
from sekisho.errors import Internal
from sekisho.world import Acting, SessionFacts, Subject
from tests.calls.fakes import ACCOUNT, KEY, NOW, ROLE, ROLE_ARN, USER, USER_ARN, FakeNode

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}'
POLICY = policy.Attached(policy.compile_policy(policy.parse(DOCUMENT), text=DOCUMENT), name="session policy")
FACTS = SessionFacts(
    "assumed-role", "build-7", {"Team": "a", "Area": "b"}, frozenset(("Team", "Area")), "ann", (POLICY,), (), NOW, NOW + timedelta(hours=1),
    True, NOW - timedelta(minutes=1), "accounts.example.com", {"saml:aud": "x", "saml:sub": ("y", "z")},
)  # fmt: skip
KEY_ID = "ASIADEPLOYDEPLOYDEPL"


def caller(id_: str, session: SessionFacts | None, key: str = KEY_ID) -> Acting:
    return world.acting(Subject(id_, ACCOUNT, key, session), FakeNode().world.get_record, NOW)


@pytest.mark.parametrize("key", [KEY, ""])
def test_a_caller_without_a_session_is_its_principal_and_its_key(key: str) -> None:
    found = holders.of(caller(USER, None, key))
    assert (found.account, found.principal_id, found.access_key_id, found.session) == (ACCOUNT, USER, key, None)


@pytest.mark.parametrize(
    ("id_", "kind", "principal", "issuer"),
    [
        (ROLE, "assumed-role", "role", ROLE_ARN),
        (USER, "session-token", "user", USER_ARN),
        (USER, "federation", "user", USER_ARN),
        (ACCOUNT, "session-token", "root", f"arn:aws:iam::{ACCOUNT}:root"),
    ],
)
def test_a_session_is_carried_whole(id_: str, kind: str, principal: str, issuer: str) -> None:
    facts = replace(FACTS, kind=kind)
    found = holders.of(caller(id_, facts))
    assert (found.principal_id, found.access_key_id) == (id_, KEY_ID)
    session = found.session
    assert session is not None
    assert (session.kind, session.account, session.principal_kind) == (kind, ACCOUNT, principal)
    assert (session.principal_id, session.principal_arn) == (id_, issuer)
    assert session.transitive_keys == ("Area", "Team")
    again = signers.of_session(session, KEY_ID).session
    assert again is not None
    assert again.policies[0].program.text == DOCUMENT
    assert replace(again, policies=facts.policies) == facts


def test_a_session_may_have_managed_policies_alone() -> None:
    facts = replace(FACTS, policies=(), policy_ids=("ANPAGONE", "ANPATOO"))
    session = holders.of(caller(ROLE, facts)).session
    assert session is not None
    assert (session.policy, session.policy_arns) == ("", ("ANPAGONE", "ANPATOO"))


WITHOUT_TEXT = policy.Attached(policy.compile_policy(policy.parse(DOCUMENT)), name="session policy")


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "another"},
        {"issued_at": None},
        {"expires_at": None},
        {"policies": (POLICY, POLICY)},
        {"policies": (WITHOUT_TEXT,)},
    ],
)
def test_what_cannot_be_carried_is_no_token(facts: dict[str, Any]) -> None:
    with pytest.raises(Internal, match=r"^the session of the caller cannot be carried by a token$"):
        holders.of(caller(ROLE, replace(FACTS, **facts)))
