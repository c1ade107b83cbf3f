"""What an attacker makes of a request: each placement of a credential that is none, or is not his, and the code that refuses it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from sekisho.credentials import accounts, session_tokens
from sekisho.credentials.sessions import Session
from sekisho.sigv4 import Credentials, HttpRequest
from sekisho.store.tables import Account
from tests.harness import House
from tests.wire.edge import HOST, presigned, query, signed


@dataclass(frozen=True, slots=True)
class Hand:
    """The credentials that attacks play with: those of the account, of a session, of one that is over, and another account's."""

    good: Credentials
    session: Credentials
    expired: Credentials
    foreign: Credentials
    inactive: Credentials
    suspended: Credentials


Attack = Callable[[str, str, Hand], HttpRequest]
"""The request for an action of a service."""


def deal(house: House) -> Hand:
    """Credentials of every kind, on a house's node."""
    house.call("CreateUser", user_name="victim")
    key = house.call("CreateAccessKey", user_name="victim").access_key
    house.call("UpdateAccessKey", user_name="victim", access_key_id=key.access_key_id, status="Inactive")
    now = datetime.now(UTC).replace(microsecond=0)
    return Hand(
        good=house.root,
        session=_session(house, now, now + timedelta(hours=1)),
        expired=_session(house, now - timedelta(hours=2), now - timedelta(hours=1)),
        foreign=house.account(),
        inactive=Credentials(key.access_key_id, key.secret_access_key),
        suspended=_suspended(house),
    )


def _suspended(house: House) -> Credentials:
    """The root credentials of an account that is not active any more."""
    made = accounts.create(house.node.database, house.node.ring)
    with house.node.database.write((made.account_id,)) as session:
        session.get_one(Account, made.account_id).status = "SUSPENDED"
    return Credentials(made.access_key_id, made.secret_access_key)


def _session(house: House, start: datetime, end: datetime) -> Credentials:
    user = house.call("GetUser", user_name="victim").user
    made = session_tokens.issue(
        Session(
            kind="session-token",
            account=house.account_id,
            principal_kind="user",
            principal_id=user.user_id,
            principal_arn=user.arn,
            session_name="",
            issued_at=start,
            expires_at=end,
        ),
        house.node.ring,
    )
    return Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def _header(request: HttpRequest, name: str, change: Callable[[str], str]) -> HttpRequest:
    """The request with one header changed."""
    return replace(request, headers=tuple((key, change(value) if key.lower() == name else value) for key, value in request.headers))


def _without(request: HttpRequest, name: str) -> HttpRequest:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != name))


def _twice(request: HttpRequest, name: str) -> HttpRequest:
    (found,) = (pair for pair in request.headers if pair[0].lower() == name)
    return replace(request, headers=(*request.headers, found))


def _flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _post(action: str, service: str, credentials: Credentials, **options: datetime) -> HttpRequest:
    return signed(query(action), credentials, service, **options)


def url(action: str, service: str, credentials: Credentials, *, now: datetime | None = None, expires: int = 60) -> HttpRequest:
    return presigned(query(action, method="GET"), credentials, service, now=now, expires=expires)


def _ago(**ago: int) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


def _wrong(credentials: Credentials) -> Credentials:
    return replace(credentials, secret_access_key=_flip(credentials.secret_access_key))


ATTACKS: Mapping[str, tuple[Attack, str]] = MappingProxyType(
    {
        # No credential at all.
        "nothing_in_a_form": (lambda a, s, h: query(a), "MissingAuthenticationToken"),
        "nothing_in_a_query": (lambda a, s, h: query(a, method="GET"), "MissingAuthenticationToken"),
        "basic": (lambda a, s, h: replace(query(a), headers=(HOST, ("authorization", "Basic dTpw"))), "IncompleteSignature"),
        "bearer": (lambda a, s, h: replace(query(a), headers=(HOST, ("authorization", "Bearer x"))), "IncompleteSignature"),
        "empty_authorization": (lambda a, s, h: replace(query(a), headers=(HOST, ("authorization", ""))), "IncompleteSignature"),
        "version_2": (
            lambda a, s, h: query(a, {"AWSAccessKeyId": h.good.access_key_id, "SignatureVersion": "2", "Signature": "x"}, method="GET"),
            "MissingAuthenticationToken",
        ),
        # Another secret.
        "wrong_secret": (lambda a, s, h: _post(a, s, _wrong(h.good)), "SignatureDoesNotMatch"),
        "wrong_secret_presigned": (lambda a, s, h: url(a, s, _wrong(h.good)), "SignatureDoesNotMatch"),
        "secret_of_another_account": (
            lambda a, s, h: _post(a, s, Credentials(h.good.access_key_id, h.foreign.secret_access_key)),
            "SignatureDoesNotMatch",
        ),
        "empty_secret": (lambda a, s, h: _post(a, s, Credentials(h.good.access_key_id, "")), "SignatureDoesNotMatch"),
        # Another key.
        "unknown_key": (lambda a, s, h: _post(a, s, Credentials("AKIAIOSFODNN7EXAMPLE", "x")), "InvalidClientTokenId"),
        "senseless_key": (lambda a, s, h: _post(a, s, Credentials("*", "x")), "InvalidClientTokenId"),
        "inactive_key": (lambda a, s, h: _post(a, s, h.inactive), "InvalidClientTokenId"),
        "suspended_account": (lambda a, s, h: _post(a, s, h.suspended), "OptInRequired"),
        "inactive_key_presigned": (lambda a, s, h: url(a, s, h.inactive), "InvalidClientTokenId"),
        # Session tokens.
        "session_without_token": (lambda a, s, h: _post(a, s, replace(h.session, session_token=None)), "InvalidClientTokenId"),
        "session_with_another_token": (
            lambda a, s, h: _post(a, s, replace(h.session, session_token=h.expired.session_token)),
            "InvalidClientTokenId",
        ),
        "session_with_a_changed_token": (
            lambda a, s, h: _post(a, s, replace(h.session, session_token=(h.session.session_token or "")[:-2])),
            "InvalidClientTokenId",
        ),
        "session_with_no_token": (lambda a, s, h: _post(a, s, replace(h.session, session_token="")), "InvalidClientTokenId"),
        "long_term_key_with_a_token": (
            lambda a, s, h: _post(a, s, replace(h.good, session_token=h.session.session_token)),
            "InvalidClientTokenId",
        ),
        "session_with_wrong_secret": (lambda a, s, h: _post(a, s, _wrong(h.session)), "SignatureDoesNotMatch"),
        "expired_session": (lambda a, s, h: _post(a, s, h.expired), "ExpiredToken"),
        "expired_session_presigned": (lambda a, s, h: url(a, s, h.expired), "ExpiredToken"),
        "token_not_signed": (
            lambda a, s, h: replace(
                _post(a, s, replace(h.session, session_token=None)),
                headers=(
                    *_post(a, s, replace(h.session, session_token=None)).headers,
                    ("x-amz-security-token", h.session.session_token or ""),
                ),
            ),
            "SignatureDoesNotMatch",
        ),
        "token_twice": (lambda a, s, h: _twice(_post(a, s, h.session), "x-amz-security-token"), "InvalidClientTokenId"),
        # Time.
        "six_minutes_old": (lambda a, s, h: _post(a, s, h.good, now=_ago(minutes=6)), "SignatureDoesNotMatch"),
        "six_minutes_ahead": (lambda a, s, h: _post(a, s, h.good, now=_ago(minutes=-6)), "SignatureDoesNotMatch"),
        "presigned_and_over": (lambda a, s, h: url(a, s, h.good, now=_ago(minutes=10)), "RequestExpired"),
        "presigned_ahead": (lambda a, s, h: url(a, s, h.good, now=_ago(minutes=-10)), "SignatureDoesNotMatch"),
        "presigned_for_ever": (lambda a, s, h: url(a, s, h.good, expires=604_801), "IncompleteSignature"),
        "presigned_longer_than_signed": (
            lambda a, s, h: replace(got := url(a, s, h.good), query=got.query.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")),
            "SignatureDoesNotMatch",
        ),
        "date_twice": (lambda a, s, h: _twice(_post(a, s, h.good), "x-amz-date"), "IncompleteSignature"),
        "no_date": (lambda a, s, h: _without(_post(a, s, h.good), "x-amz-date"), "IncompleteSignature"),
        # The form of the signature.
        "signature_of_another_day": (
            lambda a, s, h: _header(_post(a, s, h.good), "authorization", lambda v: v.replace(v.split("/")[1], "20200101", 1)),
            "SignatureDoesNotMatch",
        ),
        "signature_cut": (lambda a, s, h: _header(_post(a, s, h.good), "authorization", lambda v: v[:-1]), "SignatureDoesNotMatch"),
        "signature_changed": (lambda a, s, h: _header(_post(a, s, h.good), "authorization", _flip), "SignatureDoesNotMatch"),
        "authorization_cut": (
            lambda a, s, h: _header(_post(a, s, h.good), "authorization", lambda v: v.partition(", Signature")[0]),
            "IncompleteSignature",
        ),
        "authorization_twice": (lambda a, s, h: _twice(_post(a, s, h.good), "authorization"), "IncompleteSignature"),
        "header_and_query": (
            lambda a, s, h: replace(url(a, s, h.good), headers=_post(a, s, h.good).headers),
            "IncompleteSignature",
        ),
        "presigned_parameter_missing": (
            lambda a, s, h: replace(got := url(a, s, h.good), query=got.query.replace("X-Amz-Date", "X-Amz-Data")),
            "IncompleteSignature",
        ),
        "host_not_signed": (
            lambda a, s, h: replace(made := signed(_without(query(a), "host"), h.good, s), headers=(*made.headers, HOST)),
            "SignatureDoesNotMatch",
        ),
        "another_host": (lambda a, s, h: _header(_post(a, s, h.good), "host", lambda _: "evil.example"), "SignatureDoesNotMatch"),
        # The scope.
        "scope_of_another_service": (lambda a, s, h: _post(a, "iam" if s == "sts" else "sts", h.good), "SignatureDoesNotMatch"),
        "scope_of_grpc": (lambda a, s, h: _post(a, "sekisho", h.good), "SignatureDoesNotMatch"),
        # What is signed and what is sent.
        "another_body": (lambda a, s, h: replace(made := _post(a, s, h.good), body=made.body + b"&UserName=root"), "SignatureDoesNotMatch"),
        "another_query": (lambda a, s, h: replace(_post(a, s, h.good), query="UserName=root"), "SignatureDoesNotMatch"),
        "presigned_with_a_parameter_more": (
            lambda a, s, h: replace(got := url(a, s, h.good), query=got.query + "&UserName=root"),
            "SignatureDoesNotMatch",
        ),
        "presigned_with_a_body": (lambda a, s, h: replace(url(a, s, h.good), body=b"UserName=root"), "MalformedQueryString"),
        "presigned_as_a_post": (lambda a, s, h: replace(url(a, s, h.good), method="POST"), "SignatureDoesNotMatch"),
        "unsigned_payload": (
            lambda a, s, h: signed(replace(query(a), headers=(*query(a).headers, ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"))), h.good, s),
            "SignatureDoesNotMatch",
        ),
        "streaming_payload": (
            lambda a, s, h: signed(
                replace(query(a), headers=(*query(a).headers, ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))), h.good, s
            ),
            "SignatureDoesNotMatch",
        ),
        "target_not_signed": (
            lambda a, s, h: replace(made := _post(a, s, h.good), headers=(*made.headers, ("x-amz-target", "X.Y"))),
            "UnknownOperationException",
        ),
        "amz_header_not_signed": (
            lambda a, s, h: replace(made := _post(a, s, h.good), headers=(*made.headers, ("x-amz-user", "root"))),
            "SignatureDoesNotMatch",
        ),
        "host_twice": (lambda a, s, h: _twice(_post(a, s, h.good), "host"), "BadRequest"),
        "no_host": (lambda a, s, h: _without(_post(a, s, h.good), "host"), "BadRequest"),
        "action_twice": (
            lambda a, s, h: signed(replace(made := query(a), body=made.body + b"&Action=" + a.encode()), h.good, s),
            "MalformedQueryString",
        ),
        "action_in_query_and_form": (
            lambda a, s, h: signed(replace(query(a), query="Action=DeleteUser&Version=2010-05-08"), h.good, "iam"),
            "MalformedQueryString",
        ),
        "version_twice_in_other_letters": (
            lambda a, s, h: signed(replace(made := query(a), body=made.body + b"&%56ersion=2010-05-08"), h.good, s),
            "MalformedQueryString",
        ),
    }
)
