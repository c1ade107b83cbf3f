"""Sessions: who a temporary credential acts for, and what was said of them when it was issued."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sekisho import arn

Kind = Literal["assumed-role", "session-token", "federation", "assumed-root"]
KINDS: tuple[Kind, ...] = ("assumed-role", "session-token", "federation", "assumed-root")
"""A token has the place of its session's kind here; new ones are added at the end."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says of its holder. `principal_…` is the role, or the user or root that called; times are whole seconds, UTC."""

    kind: Kind
    account: str
    principal_kind: str
    """`role`, `user` or `root`."""
    principal_id: str
    """The unique id (AROA…, AIDA…), or the account's id for root."""
    principal_arn: str
    """As it was when the session began, path included."""
    issued_at: datetime
    expires_at: datetime
    session_name: str = ""
    """RoleSessionName, or the federated user's name; of an "assumed-root" what it rests on (`world.root_access`)."""
    tags: tuple[tuple[str, str], ...] = ()
    transitive_keys: tuple[str, ...] = ()
    source_identity: str = ""
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    mfa: bool | None = None
    """None where `aws:MultiFactorAuthPresent` has to be absent."""
    mfa_at: datetime | None = None
    chained: bool = False
    provider: str = ""
    """The identity provider that vouched for a federated session (`aws:FederatedProvider`)."""
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    """Further condition keys that last as long as the session, in lower case; one with several values has a tuple."""

    @property
    def arn(self) -> str:
        """Who the holder is: the role session, the federated user, or the user or root itself."""
        if self.kind == "assumed-role":
            return arn.assumed_role(self.account, self.principal_arn.rpartition("/")[2], self.session_name)
        return arn.federated_user(self.account, self.session_name) if self.kind == "federation" else self.principal_arn

    @property
    def user_id(self) -> str:
        """`aws:userid`. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable"""
        prefix = {"assumed-role": f"{self.principal_id}:", "federation": f"{self.account}:"}.get(self.kind)
        return self.principal_id if prefix is None else prefix + self.session_name


def pack(session: Session) -> list[Any]:
    """The session as a list of JSON values; new members are added at the end, with a value for tokens that lack them."""
    return [
        KINDS.index(session.kind),
        session.account,
        session.principal_kind,
        session.principal_id,
        session.principal_arn,
        int(session.issued_at.timestamp()),
        int(session.expires_at.timestamp()),
        session.session_name,
        session.tags,
        session.transitive_keys,
        session.source_identity,
        session.policy,
        session.policy_arns,
        session.mfa,
        None if session.mfa_at is None else int(session.mfa_at.timestamp()),
        session.chained,
        session.provider,
        session.context,
    ]


def unpack(members: list[Any]) -> Session:
    """The session that `pack` made a list of."""
    kind, account, principal_kind, principal_id, principal_arn, issued, expires, name, tags, transitive, *rest = members
    source_identity, policy, policy_arns, mfa, mfa_at, chained, provider, context = rest
    return Session(
        KINDS[kind],
        account,
        principal_kind,
        principal_id,
        principal_arn,
        datetime.fromtimestamp(issued, UTC),
        datetime.fromtimestamp(expires, UTC),
        name,
        tuple((key, value) for key, value in tags),
        tuple(transitive),
        source_identity,
        policy,
        tuple(policy_arns),
        mfa,
        None if mfa_at is None else datetime.fromtimestamp(mfa_at, UTC),
        chained,
        provider,
        tuple((key, value if isinstance(value, str) else tuple(value)) for key, value in context),
    )
