"""Hops between accounts: who becomes a role from another account of the organization, and what permits it.

Either the role's trust policy lets in another account, or a principal of it, and that one is permitted sts:AssumeRole on the role by its
own policies; so it is, too, that the management account gets into members that were made in its organization. Or the policy of a registered
resource that acts as a role lets it use that, and its own policies do as well.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from sekisho import arn, policy, world
from sekisho.analysis.escalation import things
from sekisho.analysis.escalation.actors import Actor, Actors, by_name, is_account, reads_principal
from sekisho.analysis.escalation.asking import CONNECTION, Asker, Grant, places, side
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.registered import Registered, fits
from sekisho.analysis.escalation.rules import Rule, Way
from sekisho.analysis.escalation.sessions import ROLE_SESSION_NAME
from sekisho.analysis.escalation.ways import ASSUME_ROLE, ASSUMING, OF, Ways
from sekisho.policy.principals import account_named
from sekisho.world import Keys, Lookup, Record, ResourceRecord

Proceed = Callable[[], None]


class Entry(NamedTuple):
    """A way to become a role from another account, with what permits it, and the ARN of what is become."""

    rule: Rule
    grants: tuple[Grant, ...]
    becomes: str
    presumes: str = ""


class Between:
    """The accounts of an organization; `proceed` is called between two decisions."""

    def __init__(self, estates: Mapping[str, Estate], supposed: Keys, proceed: Proceed) -> None:
        self.estates = estates
        self._supposed, self._proceed = supposed, proceed
        self._made: Mapping[str, Actors] = {account: Actors(estate, proceed) for account, estate in estates.items()}
        self._actors: Mapping[str, Sequence[Actor]] = {account: _all(made) for account, made in self._made.items()}
        self._by_name = {name: actor for actors in self._actors.values() for name, actor in by_name(actors).items()}
        self._sayings: dict[tuple[str, str], list[Actor]] = {}  # by account and action, who says something about it
        self._entries: dict[tuple[object, ...], Entry | None] = {}  # by a role's ARN and who is alike; who that is would be too many
        self._registered: dict[str, tuple[Ways, Registered]] = {}
        self.decisions = 0

    def freed(self, estate: Estate) -> "Between":
        """The same organization, in which an account stands as it does in the estate."""
        made, account = copy(self), estate.account_id
        acting = Actors(estate, self._proceed)
        made.estates = {**self.estates, account: estate}
        made._made = {**self._made, account: acting}
        made._actors = {**self._actors, account: _all(acting)}
        made._by_name = {**self._by_name, **by_name(made._actors[account])}
        made._sayings = {key: found for key, found in self._sayings.items() if key[0] != account}
        made._entries = {}
        made._registered = {key: found for key, found in self._registered.items() if key != account}
        made.decisions = 0
        return made

    def saying(self, account: str, action: str) -> Sequence[Actor]:
        """Those of an account of whose own policies an Allow is about an action."""
        key = (account, action)
        if key not in self._sayings:
            self._proceed()
            self._sayings[key] = [one for one in self._actors[account] if any(side(said, action) is not None for said in one.who.identity)]
        return self._sayings[key]

    def of(self, named: str) -> Actor:
        """The actor of an ARN: a session of that name, or a user or role."""
        return self._by_name[named]

    def asks_all(self, account: str) -> bool:
        """True where nothing of what an administrator is permitted is withheld from everybody of an account."""
        actors = self._actors[account]
        return not actors or self._of_account(account)[0].asks_all(actors[0])

    def sessions(self, actor: Actor) -> Sequence[str]:
        """The ARNs of the sessions of a role of which policies speak."""
        if actor.record.kind != "role":
            return ()
        names = self._made[actor.record.account_id].names.of(actor.record)
        return [arn.assumed_role(actor.record.account_id, actor.record.name, name) for name in names]

    def entering(self, target: str) -> Iterator[tuple[Actor, Entry]]:
        """The principals of other accounts that become a role, or a session of one, each with what permits it."""
        self._proceed()
        role = self._by_name.get(target)
        if role is not None and role.record.kind == "role":
            yield from self._assumed(role)
            if not role.session:
                yield from self._used(role)

    def _assumed(self, role: Actor) -> Iterator[tuple[Actor, Entry]]:
        trust = role.record.trust
        if trust is None:
            return
        individual = reads_principal(trust)
        for actor in self._trusted(trust, role.record.account_id, ASSUME_ROLE):
            key = (role.named, actor.key if individual else (actor.record.account_id, actor.alike))
            if key not in self._entries:
                self._entries[key] = self._entry(actor, role, trust)
            entry = self._entries[key]
            if entry is not None:
                yield actor, entry

    def _used(self, role: Actor) -> Iterator[tuple[Actor, Entry]]:
        """The principals of other accounts that use a registered resource which acts as a role, each with what permits it."""
        account = role.record.account_id
        ways, registered = self._of_account(account)
        for rule in OF[Way.HELD]:
            granting = registered.granting(rule)
            if not granting or ways.trust_in(rule.service, role) is None:
                continue
            for actor in self._let_in(rule, granting, account):
                key = (account, rule.name, actor.key)  # whichever role it acts as
                if key not in self._entries:
                    grants = self._all_of(actor, rule, granting)
                    presumes = f"something acts as the role for {rule.service}"
                    self._entries[key] = Entry(rule, grants, "", presumes) if grants is not None else None
                entry = self._entries[key]
                if entry is not None:
                    yield actor, entry._replace(becomes=role.named)

    def _of_account(self, account: str) -> tuple[Ways, Registered]:
        if account not in self._registered:
            estate = self.estates[account]
            ways = Ways(estate, self._made[account], Asker(estate, self._supposed, self._proceed))
            self._registered[account] = ways, ways.registered
        return self._registered[account]

    def _let_in(self, rule: Rule, granting: Iterable[ResourceRecord], owner: str) -> Iterable[Actor]:
        policies = [one.policy for one in granting if one.policy is not None]
        found = {actor.key: actor for one in policies for actor in self._trusted(one, owner, rule.demands[0].action)}
        return found.values()

    def _all_of(self, actor: Actor, rule: Rule, granting: Iterable[ResourceRecord]) -> tuple[Grant, ...] | None:
        """The grants of all that a rule takes, each word of it on one and the same registered resource."""
        found: dict[str, Grant] = {}
        for label in dict.fromkeys(demand.on for demand in rule.demands):
            actions = [demand.action for demand in rule.demands if demand.on == label]
            for one in granting:
                grants = [self._on_registered(actor, action, one) for action in actions] if fits(one, label) else [None]
                if None not in grants:
                    found |= {grant.action: grant for grant in grants if grant is not None}
                    break
            else:
                return None
        return tuple(found[demand.action] for demand in rule.demands)

    def _on_registered(self, actor: Actor, action: str, one: ResourceRecord) -> Grant | None:
        asked = world.Asked(
            action=action,
            resource=one.id,
            account=actor.record.account_id,
            tag_prefixes=("aws", action.partition(":")[0]),
            environment=CONNECTION,
            given={things.REGION_KEY: one.id.split(":", 4)[3] or arn.REGION},
            override=self._supposed,
        )
        return self.grant(actor, asked, both(self.estates[one.account_id], self.estates[actor.record.account_id]))

    def _trusted(self, trust: policy.Attached, owner: str, action: str) -> Iterable[Actor]:
        """Those of other accounts whom a trust policy, or that of a resource, may mean; of whole accounts, those who say the action."""
        found: dict[tuple[str, ...], Actor] = {}
        for rule in trust.program.rules:
            meant = rule.statement.principals
            if rule.deny or meant is None:
                continue
            for account in self._actors:
                whole = meant.everyone or rule.statement.not_principal or account in map(account_named, meant.aws)
                if account != owner and whole:
                    found |= {actor.key: actor for actor in self.saying(account, action)}
            for name in meant.aws:
                named = self._by_name.get(name) if name != "*" and not is_account(name) else None
                if named is not None and named.record.account_id != owner:
                    found |= {actor.key: actor for actor in self._meant(named)}
        return found.values()

    def _meant(self, named: Actor) -> Iterable[Actor]:
        """The actor and, of a role that may be in whatever session, all its sessions."""
        return (named, *(() if named.session else map(self.of, self.sessions(named))))

    def _entry(self, actor: Actor, role: Actor, trust: policy.Attached) -> Entry | None:
        made = self._made[role.record.account_id]
        for name in made.names_for(actor, role, trust):
            grant = self._decided(actor, role, trust, name)
            if grant is not None:
                return Entry(ASSUMING, (grant,), made.in_session(role, name))
        return None

    def _decided(self, actor: Actor, role: Actor, trust: policy.Attached, session: str) -> Grant | None:
        asked = world.Asked(
            action=ASSUME_ROLE,
            resource=role.record.arn,
            resource_account=role.record.account_id,
            resource_policy=trust,
            tags=role.record.tags,
            tag_prefixes=("aws", "iam"),
            environment=CONNECTION,
            given={ROLE_SESSION_NAME: session},
            override=self._supposed,
            registered=False,
        )
        own, theirs = self.estates[actor.record.account_id], self.estates[role.record.account_id]
        return self.grant(actor, asked, both(theirs, own))

    def grant(self, actor: Actor, asked: world.Asked, lookup: Lookup) -> Grant | None:
        """The grant of what is asked for, of records that are looked up so; None where it is not permitted."""
        self._proceed()
        self.decisions += 1
        decision = policy.decide(*world.question(actor.who, asked, lookup, self.estates[actor.record.account_id].now))
        return Grant(asked.action, asked.resource, places(decision.matched)) if decision.allowed else None


def _all(made: Actors) -> Sequence[Actor]:
    return [*made.all(), *made.sessions()]


def both(owner: Estate, actor: Estate) -> Lookup:
    """The records of the account that owns a resource, which says how that stands, and of the one that acts."""

    def lookup(id_: str) -> Record | None:
        return owner.lookup(id_) or actor.lookup(id_)

    return lookup
