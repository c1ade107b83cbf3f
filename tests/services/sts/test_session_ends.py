"""How sessions end, and what their credentials are worth apart."""

import json
from datetime import UTC, datetime, timedelta

from sekisho import sigv4
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import assumer, may, role, token


def issued(house: House, *, seconds: int, role_name: str = "clerk") -> sigv4.Credentials:
    """A session of a role that began an hour ago and lasts so long from then."""
    found = house.call("GetRole", role_name=role_name).role
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    session = Session(
        kind="assumed-role",
        account=house.account_id,
        principal_kind="role",
        principal_id=found.role_id,
        principal_arn=found.arn,
        issued_at=begun,
        expires_at=begun + timedelta(seconds=seconds),
        session_name="old",
    )
    return session_tokens.issue(session, house.node.ring)


def test_a_session_ends(house: House, refused: Refused) -> None:
    role(house)
    assert may(house, issued(house, seconds=7200))
    over = issued(house, seconds=3600)
    assert refused("GetCallerIdentity", _as=over) == ("ExpiredToken", "The security token included in the request is expired")
    assert refused("Authorize", bearer_token=token(over), action="orders:Ship", resource="*")[0] == "ExpiredToken"


def test_sessions_are_revoked_by_the_time_of_their_issue(house: House) -> None:
    arn, ann = role(house), assumer(house)
    old = issued(house, seconds=7200)
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    moment = (datetime.now(UTC) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"Version": "2012-10-17", "Statement": [deny | {"Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}}}]}
    assert may(house, old)
    house.call("PutRolePolicy", role_name="clerk", policy_name="AWSRevokeOlderSessions", policy_document=json.dumps(document))
    assert not may(house, old)
    assert may(house, house.assume(arn, _as=ann))


def test_a_session_ends_with_its_role(house: House, refused: Refused) -> None:
    arn, ann = role(house), assumer(house)
    session = house.assume(arn, _as=ann)
    house.call("DeleteRolePolicy", role_name="clerk", policy_name="p")
    house.call("DeleteRole", role_name="clerk")
    role(house)
    assert refused("GetCallerIdentity", _as=session)[0] == "InvalidClientTokenId"
    assert refused("ListUsers", _as=session)[0] == "InvalidClientTokenId"


def test_a_token_belongs_to_its_own_key(house: House, refused: Refused) -> None:
    arn, ann = role(house), assumer(house)
    one, two = house.assume(arn, _as=ann), house.assume(arn, _as=ann)
    mixed = sigv4.Credentials(one.access_key_id, one.secret_access_key, two.session_token)
    assert refused("GetCallerIdentity", _as=mixed)[0] == "InvalidClientTokenId"
    without = sigv4.Credentials(one.access_key_id, one.secret_access_key)
    assert refused("GetCallerIdentity", _as=without)[0] == "InvalidClientTokenId"
    sealed = one.session_token or ""
    flipped = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB")
    assert (
        refused("GetCallerIdentity", _as=sigv4.Credentials(one.access_key_id, one.secret_access_key, flipped))[0] == "InvalidClientTokenId"
    )


def test_mfa_of_a_session_is_none(house: House) -> None:
    arn = role(house)
    when = {"Null": {"aws:MultiFactorAuthPresent": "true"}}
    house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=allow("orders:Ship", when=when))
    assert may(house, house.assume(arn, _as=assumer(house)))
