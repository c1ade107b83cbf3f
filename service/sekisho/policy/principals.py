"""Who asks, and whom a Principal element means: what naming somebody in a resource policy is worth.

Within one account the worth depends on the name (the first that holds, from the strongest):

    DIRECT     a user's ARN or unique id, a session's ARN; `*` with a condition on aws:PrincipalArn: nothing but explicit denies limits it
    LIMITED    a role's ARN or unique id, a service, `*`: grants, within the permissions boundary and the session policy
    ACCOUNT    the account, in any of its forms, or a federated provider: an identity policy must allow as well

Across accounts every name is worth the same. Sources:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sekisho import arn
from sekisho.policy import operators
from sekisho.policy.document import Condition, Statement

NONE, ACCOUNT, LIMITED, DIRECT = range(4)

SESSIONS = frozenset(("assumed-role", "service-linked-role"))
OUTSIDERS = frozenset(("service", "anonymous", "federated"))
"""Kinds that have no identity policies of their own: `federated` is an identity that only its provider vouches for."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as policies see it."""

    kind: str  # user, root, role, assumed-role, service-linked-role, federated-user, service, anonymous, federated
    arn: str  # a role session's is its session ARN, a service's its name, an anonymous caller's empty
    account: str
    role_arn: str = ""  # of a session: the role's ARN with its path
    unique_id: str = ""  # AIDA… of a user, AROA… of a role
    provider: str = ""  # of a federated principal: the ARN or host of its provider
    canonical: str = ""  # the canonical user id of its account

    @property
    def entity_arn(self) -> str:
        """`aws:PrincipalArn`: of a session the role's ARN, without its path where that is not known."""
        if self.role_arn or self.kind not in SESSIONS:
            return self.role_arn or self.arn
        return _pathless(self.arn)


class Grantees:
    """The Principal or NotPrincipal element of one statement, taken apart once."""

    __slots__ = ("_accounts", "_canonical", "_everyone", "_federated", "_names", "_roles", "_services", "negated")

    def __init__(self, statement: Statement) -> None:
        element = statement.principals
        assert element is not None
        deny = statement.effect == "Deny"
        self.negated = statement.not_principal
        self._everyone = (DIRECT if by_principal_arn(statement.conditions) else LIMITED) if element.everyone else NONE
        self._accounts = frozenset(filter(None, map(account_named, element.aws)))
        self._names = frozenset(name for name in element.aws if name not in ("", "*") and not account_named(name))
        self._roles = frozenset(filter(None, map(_role, self._names)))
        self._services = frozenset(element.service)
        self._federated = frozenset(element.federated)
        self._canonical = frozenset(element.canonical)
        if deny and not self.negated and "*" in self._services | self._federated:
            self._everyone = LIMITED  # not a form that AWS documents: denies all rather than none

    def grant(self, principal: Principal) -> int:
        """What an Allow with this element is worth to the principal; NotPrincipal names nobody and grants to all but the listed."""
        worth = self._worth(principal)
        if self.negated:
            return NONE if worth else LIMITED
        return worth

    def denies(self, principal: Principal, *, bounded: bool) -> bool:
        """Whether a Deny with this element hits the principal; `bounded`: it has a permissions boundary."""
        if self.negated:
            # NotPrincipal does not see through a boundary:
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
            return bounded or not self._spares(principal)
        return self._worth(principal) > NONE

    def _worth(self, principal: Principal) -> int:
        worth = self._everyone
        if principal.kind == "service":
            return max(worth, LIMITED) if principal.arn in self._services else worth
        if worth < DIRECT and self._names:
            worth = max(worth, self._named(principal))
        if worth < ACCOUNT and self._vouched(principal):
            worth = ACCOUNT
        return worth

    def _vouched(self, principal: Principal) -> bool:
        return (
            (bool(principal.account) and principal.account in self._accounts)
            or (bool(principal.provider) and principal.provider in self._federated)
            or (bool(principal.canonical) and principal.canonical in self._canonical)
        )

    def _named(self, principal: Principal) -> int:
        kind, names = principal.kind, self._names
        if kind in ("user", "federated-user"):
            return DIRECT if principal.arn in names or (kind == "user" and principal.unique_id in names) else NONE
        if kind in SESSIONS and principal.arn in names and ":assumed-role/" in principal.arn:
            return DIRECT
        return LIMITED if self._names_role(principal) else NONE

    def _names_role(self, principal: Principal) -> bool:
        if principal.kind not in SESSIONS and principal.kind != "role":
            return False
        if principal.unique_id in self._names or principal.entity_arn in self._names:
            return True
        # Without the role's ARN its path is unknown; names are unique whatever the path.
        return not principal.role_arn and principal.kind in SESSIONS and _role(principal.entity_arn) in self._roles

    def _spares(self, principal: Principal) -> bool:
        """Whether NotPrincipal lists all that AWS asks for: the session, its role and the account; the user and the account."""
        if self._everyone:
            return True
        if principal.kind == "service":
            return principal.arn in self._services
        if principal.kind in OUTSIDERS:
            return principal.provider in self._federated and principal.kind == "federated"
        if principal.account not in self._accounts and principal.canonical not in self._canonical:
            return False
        if principal.kind in SESSIONS:
            return principal.arn in self._names and self._names_role(principal)
        return principal.kind == "root" or self._named(principal) > NONE


def by_principal_arn(conditions_: Iterable[Condition]) -> bool:
    """Whether a condition asks the principal to have a certain ARN."""
    for condition in conditions_:
        form = operators.form(condition.operator)
        if (
            condition.key.lower() == "aws:principalarn"
            and form is not None
            and form.row is not None
            and form.type in (operators.STRING, operators.ARN)
            and not form.row.negated
            and not form.missing
        ):
            return True
    return False


def account_named(name: str) -> str:
    """The account that a name stands for: twelve digits, or the ARN of a root user."""
    if arn.is_account_id(name):
        return name
    segments = name.split(":", 5)
    return segments[4] if len(segments) == 6 and segments[5] == "root" and segments[2] == "iam" else ""


@lru_cache(maxsize=1024)  # a resource policy asks about the same session at every statement
def _pathless(session: str) -> str:
    """The ARN of a session's role, without its path."""
    segments = session.split(":", 5)
    if len(segments) != 6 or not segments[5].startswith("assumed-role/"):
        return session
    return ":".join((*segments[:2], "iam", "", segments[4], f"role/{segments[5].split('/')[1]}"))


@lru_cache(maxsize=1024)  # likewise
def _role(name: str) -> tuple[str, str] | None:
    """Account and name of a role's ARN."""
    segments = name.split(":", 5)
    if len(segments) != 6 or segments[2] != "iam" or not segments[5].startswith("role/"):
        return None
    return segments[4], segments[5].rpartition("/")[2]
