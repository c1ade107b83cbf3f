"""What a bearer has, which whoever sees it can use as well: so it reads and decides, and neither writes nor issues."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sekisho import sigv4
from sekisho.calls import signers
from sekisho.calls.call import Call
from sekisho.calls.signers import Holder
from sekisho.credentials import identity_tokens
from sekisho.credentials.key_ring import SESSIONS, UnknownKey
from sekisho.memory import cold, records
from sekisho.operations.annotations import Access
from sekisho.sigv4 import InvalidClientTokenId, bearer
from sekisho.world import AccountRecord, IssuerRecord, KeyRecord, Record, Subject

ONCE = frozenset((Access.WRITE, Access.ISSUE))
"""The levels of operations that a signature is good for once."""


@dataclass(slots=True)  # frozen, it takes three times as long to make
class Bearer:
    """A bearer token, which is a presigned GetCallerIdentity for an audience, for as many calls as its holder makes.

    Whoever sees it can do the same; so it reads and decides, and neither writes nor issues, for which a caller signs each call.
    """

    token: str
    audience: str

    def prove(self, call: Call) -> Subject:
        """The maker of the token: as it was verified before, until it ends or something that it was verified with is another."""
        key = ("bearer", self.audience, self.token)
        verified: _Verified | None = call.node.world.get_finding(key)
        if verified is None or not verified.begins <= call.now <= verified.ends:
            verified = self._verify(call, key)
        elif verified.holder.opened is not None:
            call.node.tokens.refuse_forgotten(verified.holder.opened)
        signers.note_use(call, verified.holder, verified.region)
        _refuse_bearer(call)
        return verified.holder.subject

    def _verify(self, call: Call, key: tuple[str, str, str]) -> "_Verified":
        given = bearer.parse(self.token)
        signed = given.signed
        holder = signers.holder(call, signed, lambda secret: bearer.verify(given, secret, self.audience, call.now))
        ends = signed.timestamp + timedelta(seconds=signed.expires or 0)
        if holder.opened is not None:
            ends = min(ends, holder.opened.session.expires_at - timedelta.resolution)
        verified = _Verified(holder, signed.scope.region, signed.timestamp - sigv4.SKEW, ends)
        call.node.world.keep_finding(key, verified, holder.subject.account_id, holder.origins, 2 * len(self.token) + signers.cost(holder))
        return verified


@dataclass(slots=True)
class IdentityToken:
    """A JWT that our STS issued for an audience: it reads and decides as whoever asked for it, and neither writes nor issues."""

    token: str
    audience: str

    def prove(self, call: Call) -> Subject:
        """Whose credentials asked for the token: as it was verified before, until it ends or something that it rests on is another."""
        key = ("identity-token", self.audience, self.token)
        accepted: _Accepted | None = call.node.world.get_finding(key)
        if accepted is None or not accepted.begins <= call.now < accepted.ends:
            accepted = self._verify(call, key)
        else:
            _refuse_sealed(call, accepted.key)
        signers.note_use(call, accepted.holder, "")
        _refuse_bearer(call)
        return accepted.holder.subject

    def _verify(self, call: Call, key: tuple[str, str, str]) -> "_Accepted":
        cold.may_wait()  # a signature over P-384 takes as long to verify as a hundred decisions
        memory = call.node.world
        read = identity_tokens.read(self.token, call.node.ring)
        whose = read.holder
        account = memory.get_record(whose.account)
        issuer = memory.get_record(account.issuer_id) if isinstance(account, AccountRecord) and account.issuer_id is not None else None
        if account is None or not isinstance(issuer, IssuerRecord):
            raise InvalidClientTokenId
        identity_tokens.verify(read, issuer, self.audience, call.now)
        signers.refuse_inactive(account)
        origins: list[tuple[str, Record | None]] = [(account.id, account), (issuer.id, issuer)]
        if whose.session is not None:
            if call.now >= whose.session.expires_at:
                raise sigv4.ExpiredToken
            subject = signers.of_session(whose.session, whose.access_key_id)
        else:
            subject = Subject(whose.principal_id, whose.account, whose.access_key_id)
            if whose.access_key_id:  # empty where a client's certificate asked for the token
                used = memory.get_record(whose.access_key_id)
                if not isinstance(used, KeyRecord) or used.status != "Active" or used.owner_id != whose.principal_id:
                    raise InvalidClientTokenId
                origins.append((used.id, used))
        holder = Holder(subject, None, tuple(origins))
        accepted = _Accepted(holder, read.key, read.issued_at - sigv4.SKEW, read.expires_at)
        cost = 2 * (len(self.token) + read.size) + (records.cost_of(subject.session.policies) if subject.session is not None else 0)
        memory.keep_finding(key, accepted, whose.account, holder.origins, cost)
        return accepted


def of_bearer(token: str, audience: str) -> Bearer | IdentityToken:
    """The proof that a bearer has, which a service may have been handed for its own audience: a JWT has two dots, a bearer token none."""
    text = token.removeprefix(bearer.SCHEME).strip()
    return IdentityToken(text, audience) if text.count(".") == 2 else Bearer(text, audience)


def _refuse_bearer(call: Call) -> None:
    """Raise for a call that writes or issues, which its caller signs."""
    if call.operation.level in ONCE:
        raise sigv4.PresignedRefused(f"A bearer token can only read and decide: sign the call of {call.operation.action}.")


def _refuse_sealed(call: Call, key: str) -> None:
    """Raise when the ring has no more the key that sealed the credentials in a token."""
    try:
        call.node.ring.key(SESSIONS, key)
    except UnknownKey:
        raise InvalidClientTokenId from None


class _Verified(NamedTuple):
    """A bearer token that verified: whose it is, and the first and the last moment at which it would again."""

    holder: Holder
    region: str
    begins: datetime
    ends: datetime


class _Accepted(NamedTuple):
    """A JWT that verified: whose it is, the key that sealed its credentials, and from when until when it would again."""

    holder: Holder
    key: str
    begins: datetime
    ends: datetime
