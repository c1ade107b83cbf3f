"""Actors: principals as a decision sees them, told apart only where a decision could.

Of two thousand principals most have the same few policies. Those for whom the same policies are asked in the same way are alike: what one
of them is permitted on a thing, all are. A policy that reads a key of the principal (its name, its tags) makes whoever has it unlike all
others, and so does a control policy that names principals. Of a role each session is an actor of which policies speak, and one is for all
other sessions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from sekisho import arn, policy
from sekisho.analysis.escalation import sessions
from sekisho.analysis.escalation.estate import Estate
from sekisho.policy import keys
from sekisho.world import Acting, PrincipalRecord, SessionFacts, Subject, acting
from sekisho.world.acting import ALLOW_ALL

_SHARED = frozenset(
    f"aws:{name}"
    for name in ("principalaccount", "principalorgid", "principalorgpaths", "principaltype", "multifactorauthpresent", "tokenissuetime")
)
"""Keys of the principal that are the same for all users, and all sessions of roles, of an account here."""

EVERYTHING = policy.Attached(ALLOW_ALL.program, name="everything")
"""A policy that somebody would write for itself."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A principal that acts, `changed` by what was done before, in words; `alike` is the same for all of whom decisions are the same.
    `session` is the name of a role's session that has to have that one; empty where it does not matter.
    """

    record: PrincipalRecord
    who: Acting
    alike: int
    changed: tuple[str, ...] = ()
    session: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """By which it is the only one."""
        return (self.record.id, self.session, *self.changed)

    @property
    def named(self) -> str:
        """Its ARN: that of a session which has to be that one, else of the user or role."""
        return self.who.principal.arn if self.session else self.record.arn


class Actors:
    """Makes the actors of an account, and knows who is like whom."""

    def __init__(self, estate: Estate, proceed: Callable[[], None] = lambda: None) -> None:
        """`proceed` is called on the way."""
        self._estate = estate
        self.names = sessions.Names(estate, proceed)
        self._classes: dict[tuple[object, ...], int] = {}
        self._asking: dict[int, bool] = {}

    def all(self) -> list[Actor]:
        """The principals of the account, but for roles that services alone use."""
        return [self.made(record) for record in self._estate.principals if not is_of_service(record)]

    def sessions(self) -> Iterator[Actor]:
        """The sessions of roles of which policies speak."""
        for record in self._estate.principals:
            if record.kind == "role" and not is_of_service(record):
                yield from (self.made(record, name) for name in self.names.of(record))

    def everything(self) -> Iterator[Actor]:
        """All of these as if they were permitted everything, but for what their organization denies them."""
        for actor in chain(self.all(), self.sessions()):
            yield self.changed(actor, "everything", identity=(EVERYTHING,), unbound=True)

    def made(self, record: PrincipalRecord, name: str = "") -> Actor:
        """A principal as it is; a role acts in a session, of that name or of one of which no policy speaks."""
        session = None
        if record.kind == "role":
            session = SessionFacts(kind="assumed-role", name=name or self.names.other(record), issued_at=self._estate.now)
        who = acting(Subject(record.id, record.account_id, session=session), self._estate.lookup, self._estate.now)
        return Actor(record, who, self._alike(record, who, (name,)), session=name)

    def names_for(self, actor: Actor, target: Actor, trust: policy.Attached) -> Iterable[str]:
        """The names under which an actor tries to assume a role: the target's own, else any, and those that conditions ask for."""
        if target.session:
            return (target.session,)
        who, place, role = actor.who, target.who.placement, target.record
        levels = chain(*(who.scps or ()), *((place.rcps or ()) if place is not None else ()))
        asked = sessions.asked(who.keys, (trust, *who.identity, *(who.boundary or ()), *levels))
        return chain((self.names.other(role),), (name for name in asked if self.names.is_other(role, name)))

    def in_session(self, target: Actor, name: str) -> str:
        """The ARN of a principal that is become in a session of a name: the role's own where another name is as good as that."""
        record = target.record
        if target.session or name == self.names.other(record):
            return target.named
        return arn.assumed_role(record.account_id, record.name, name)

    def changed(
        self,
        actor: Actor,
        how: str,
        *,
        identity: tuple[policy.Attached, ...] | None = None,
        boundary: tuple[policy.Attached, ...] | None = None,
        unbound: bool = False,
    ) -> Actor:
        """The actor with other policies or, `unbound`, with another boundary or none."""
        who = replace(
            actor.who,
            identity=actor.who.identity if identity is None else identity,
            boundary=boundary if unbound else actor.who.boundary,
        )
        changed = (*actor.changed, how)
        return Actor(actor.record, who, self._alike(actor.record, who, (actor.session, *changed)), changed, actor.session)

    def stranger(self, like: Actor, kind: str, named: str, identity: tuple[policy.Attached, ...]) -> Actor:
        """A user or role that does not exist yet: in the same account, without a boundary."""
        entity = arn.entity(named)
        name = entity.name if entity is not None else ""
        record = PrincipalRecord("", like.record.account_id, kind, name, named)
        values: dict[str, str | tuple[str, ...]] = {
            "aws:principalaccount": record.account_id,
            "aws:principalarn": named,
            "aws:principaltype": "User" if kind == "user" else "AssumedRole",
        }
        values |= {name: value for name, value in like.who.keys.items() if name.startswith("aws:principalorg")}
        if kind == "user":
            principal = policy.Principal("user", named, record.account_id)
            values["aws:username"] = name
        else:
            principal = policy.Principal(
                "assumed-role",
                arn.assumed_role(record.account_id, name, self.names.other(record)),
                record.account_id,
                role_arn=named,
            )
        who = replace(
            like.who,
            subject=Subject("", record.account_id),
            principal=principal,
            keys=values,
            identity=identity,
            boundary=None,
            session=None,
            issuer=named,
        )
        return Actor(record, who, self._alike(record, who, ("new", named)), ("new",))

    def _alike(self, record: PrincipalRecord, who: Acting, told: tuple[str, ...]) -> int:
        place = who.placement
        levels = (*(who.scps or ()), *((place.rcps or ()) if place is not None else ()))
        groups = (who.identity, who.boundary or (), who.session or (), *levels)
        own = any(self._asks_who(attached) for group in groups for attached in group)
        mark: tuple[object, ...] = (record.kind, who.boundary is None, *(tuple(map(_mark, group)) for group in groups))
        if own:
            mark = (*mark, record.id, *told)
        return self._classes.setdefault(mark, len(self._classes))

    def _asks_who(self, attached: policy.Attached) -> bool:
        found = self._asking.get(id(attached))
        if found is None:
            found = self._asking[id(attached)] = reads_principal(attached)
        return found


def _mark(attached: policy.Attached) -> tuple[int, str, str]:
    """What two policies have in common that are the same text under the same name."""
    return id(attached.program), attached.arn, attached.name


def is_of_service(record: PrincipalRecord) -> bool:
    """True for a service-linked role, which only its service uses and nobody changes."""
    return record.kind == "role" and record.arn.split(":", 5)[-1].startswith("role/aws-service-role/")


def reads_principal(attached: policy.Attached) -> bool:
    """Whether what a policy says can differ between principals of one account that it means."""
    if any(keys.owned_by_principal(key) and key not in _SHARED for key in attached.program.keys):
        return True
    return names(attached) != frozenset() or any(
        rule.grantees is not None and rule.statement.not_principal for rule in attached.program.rules
    )


def names(attached: policy.Attached) -> frozenset[str]:
    """The principals that a policy names one by one: not everybody, and not an account."""
    found: list[str] = []
    for rule in attached.program.rules:
        named = rule.statement.principals
        if named is not None:
            found += [name for name in named.aws if name != "*" and not is_account(name)]
    return frozenset(found)


def is_account(name: str) -> bool:
    """Whether a name in a Principal element stands for an account."""
    return arn.is_account_id(name) or name.endswith(":root")


def by_name(actors: Iterable[Actor]) -> Mapping[str, Actor]:
    """Actors by what a trust policy calls them: their unique ids, their ARNs and those of their sessions."""
    found = {}
    for actor in actors:
        found[actor.who.principal.arn] = actor
        if not actor.session:
            found[actor.record.id] = found[actor.record.arn] = actor
    return found
