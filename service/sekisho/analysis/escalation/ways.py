"""What each method leads to: for an actor and, where there is one, a target, the hop that it makes, if it is permitted."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from sekisho import arn, policy
from sekisho.analysis.escalation import changes, sessions, things
from sekisho.analysis.escalation.actors import EVERYTHING, Actor, Actors, reads_principal
from sekisho.analysis.escalation.asking import Asker, Grant, Thing
from sekisho.analysis.escalation.changes import Change, Holdings
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.paths import Hop
from sekisho.analysis.escalation.registered import Registered
from sekisho.analysis.escalation.rules import FORMS, INSTANCES, RULES, Rule, Way

PASS_ROLE = "iam:PassRole"  # noqa: S105  # an action
ASSUME_ROLE, ASSUME_ROLE_WITH_SAML = "sts:AssumeRole", "sts:AssumeRoleWithSAML"
_SAML = {"saml:aud": "https://signin.aws.amazon.com/saml"}

OF = {way: tuple(rule for rule in RULES if rule.way is way) for way in Way}
ASSUMING = next(rule for rule in OF[Way.BECOME] if rule.by == "trust")
"""The method that takes sts:AssumeRole alone."""

_PROBES = (
    ("iam:CreatePolicyVersion", "arn:aws:iam::{}:policy/any"),
    ("iam:AttachUserPolicy", "arn:aws:iam::{}:user/any"),
    ("iam:AttachRolePolicy", "arn:aws:iam::{}:role/any"),
    ("iam:PutUserPolicy", "arn:aws:iam::{}:user/any"),
    ("iam:PutRolePolicy", "arn:aws:iam::{}:role/any"),
    ("iam:CreateAccessKey", "arn:aws:iam::{}:user/any"),
    ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::{}:role/any"),
    ("iam:PassRole", "arn:aws:iam::{}:role/any"),
    ("unlisted:Action", "arn:aws:unlisted:us-east-1:{}:thing/any"),
)
"""What an administrator is permitted: to change all that IAM has, and an action of a service that no policy can have in mind. What the
account's organization permits nobody is not asked for.
"""


class Became(NamedTuple):
    """The grants to become a principal, and its ARN: that of a session where it takes a session of that name."""

    grants: tuple[Grant, ...]
    arn: str


class Ways:
    """The methods in one account."""

    def __init__(self, estate: Estate, actors: Actors, asker: Asker) -> None:
        self._estate, self._actors, self._asker = estate, actors, asker
        self.holdings = Holdings(estate)
        self.registered = Registered(estate)
        self._administrators: dict[int, bool] = {}
        self._services: dict[tuple[object, str], tuple[Grant, ...] | None] = {}
        self._trusting: dict[tuple[str, str], Grant | None] = {}
        self._own_trust: dict[tuple[object, ...], Became | None] = {}
        self._sufficient: tuple[policy.Attached, ...] | None = None
        self._groups: frozenset[str] | None = None
        self._probes: tuple[tuple[str, Thing], ...] | None = None

    def is_administrator(self, actor: Actor) -> bool:
        """Whether the actor is permitted all that only an administrator is."""
        found = self._administrators.get(actor.alike)
        if found is None:
            probes = self._asked_of_administrators(actor)
            found = bool(probes) and all(self._asker.may(actor, action, thing) is not None for action, thing in probes)
            self._administrators[actor.alike] = found
        return found

    def _asked_of_administrators(self, like: Actor) -> tuple[tuple[str, Thing], ...]:
        if self._probes is None:
            account, place = self._estate.account_id, like.who.placement
            stranger = self._actors.stranger(like, "user", arn.iam(account, "user", "any"), (EVERYTHING,))
            limits = chain(*(like.who.scps or ()), *((place.rcps or ()) if place is not None else ()))
            anybody = [stranger, *(self._actors.everything() if any(map(reads_principal, limits)) else ())]
            asked = ((action, Thing(form.format(account))) for action, form in _PROBES)
            self._probes = tuple((action, thing) for action, thing in asked if any(self._asker.may(one, action, thing) for one in anybody))
        return self._probes

    def asks_all(self, like: Actor) -> bool:
        """True where the account's organization permits somebody all that an administrator is asked for."""
        return len(self._asked_of_administrators(like)) == len(_PROBES)

    def own(self, actor: Actor) -> Iterator[tuple[Hop, Actor]]:
        """The hops by which an actor changes what it is permitted, each with the actor that it is afterwards."""
        for rule in OF[Way.OWN]:
            if rule.kind in ("", actor.record.kind) and self._asker.says(actor, rule.demands[0].action):
                for change in self._changes(rule, actor):
                    # What was done is not done again: what it has of a group as well, it has still.
                    made = self._changed(actor, rule, change) if change.said not in actor.changed else None
                    if made is not None:
                        yield made

    def _changes(self, rule: Rule, actor: Actor) -> Iterator[Change]:
        makes = changes.OWN[rule.gives]
        if rule.demands[0].on == "group" and rule.gives in changes.OTHERS:
            makes = changes.of_groups(makes)
        return makes(self.holdings, actor, self.sufficient(actor))

    def _changed(self, actor: Actor, rule: Rule, change: Change) -> tuple[Hop, Actor] | None:
        hop = self.gives(actor, rule, actor, change)
        return (hop, self._after(actor, change)) if hop is not None else None

    def _after(self, actor: Actor, change: Change) -> Actor:
        return self._actors.changed(actor, change.said, identity=change.identity, boundary=change.boundary, unbound=change.rebinds)

    def gifts(self, rule: Rule, target: Actor) -> Iterator[Change]:
        """The changes by a rule of OWN that could make an actor an administrator; of groups to join, those that make one of anybody."""
        for change in self._changes(rule, target):
            if rule.gives != "join" or change.on.arn in self._strong_groups(target):
                yield change

    def makes_administrator(self, target: Actor, change: Change) -> bool:
        """True of a change that makes an administrator of an actor."""
        return self.is_administrator(self._after(target, change))

    def _strong_groups(self, like: Actor) -> frozenset[str]:
        if self._groups is None:
            named, found = arn.iam(self._estate.account_id, "user", "any"), []
            for id_, group in self._estate.groups.items():
                if self.is_administrator(self._actors.stranger(like, "user", named, self.holdings.of_group(id_))):
                    found.append(group)
            self._groups = frozenset(found)
        return self._groups

    def gives(self, actor: Actor, rule: Rule, target: Actor, change: Change) -> Hop | None:
        """The hop by which an actor changes what another one, or itself, is permitted, and goes on as that; None without permission."""
        grants = self._all(actor, [(action, change.on, change.keys) for action in (rule.demands[0].action, *change.besides)])
        return Hop(rule, actor.named, change.on.arn, target.named, grants, change.said) if grants is not None else None

    def towards(self, actor: Actor, rule: Rule, target: Actor) -> Hop | None:
        """The hop by which an actor becomes another principal by a rule of BECOME, PASS or HELD; None where it is not permitted."""
        if rule.kind != target.record.kind:
            return None
        if rule.way is Way.BECOME:
            become = self._become(actor, rule, target)
            return Hop(rule, actor.named, target.record.arn, become.arn, become.grants) if become is not None else None
        if target.session or self.trust_in(rule.service, target) is None:  # a service names its sessions itself
            return None
        passed = self._passed(actor, rule, target) if rule.way is Way.PASS else ()
        if passed is None:
            return None
        served = self._served(actor, rule)
        if served is None:
            return None
        presumes = "" if rule.way is Way.PASS else f"something acts as the role for {rule.service}"
        return Hop(rule, actor.named, target.record.arn, target.record.arn, (*passed, *served), presumes=presumes)

    def trust_in(self, service: str, target: Actor) -> Grant | None:
        """The grant by which a service may act as a role."""
        key = (service, target.record.id)
        if key not in self._trusting:
            trust, found = target.record.trust, None
            if trust is not None and any(
                service in named.service or named.any for rule in trust.program.rules if (named := rule.statement.principals) is not None
            ):
                keys = {"aws:sourceaccount": self._estate.account_id}
                principal = policy.Principal("service", service, "")
                found = self._asker.vouched(trust, principal, ASSUME_ROLE, target.record.arn, keys)
            self._trusting[key] = found
        return self._trusting[key]

    def raised_on(self, rule: Rule, target: Actor) -> Iterator[str]:
        """On what a rule of RAISE is permitted: the target itself, or the policies of the account that it has."""
        if rule.demands[0].on == "target":
            yield target.record.arn
            return
        for attached in target.who.identity:
            if (managed := self.holdings.managed(attached)) is not None:
                yield managed.arn

    def raising(self, actor: Actor, rule: Rule, target: Actor) -> Hop | None:
        """The hop by which an actor makes another principal an administrator, and becomes it."""
        if rule.kind != target.record.kind or not self._asker.says(actor, rule.demands[0].action):
            return None
        action, last = rule.demands[0].action, rule.demands[-1].action
        by = next(one for one in OF[Way.BECOME] if one.by == rule.by)
        for change in changes.OTHERS[rule.gives](self.holdings, target, self.sufficient(target)):
            grants = self._all(actor, [(name, change.on, change.keys) for name in (action, *change.besides)])
            if grants is None:
                continue
            after = self._actors.changed(target, change.said, identity=change.identity)
            if not self.is_administrator(after):
                continue
            become = self._become(actor, by, target)
            if become is None:
                return None
            assert become.grants[-1].action in (last, ASSUME_ROLE)
            return Hop(rule, actor.named, target.record.arn, become.arn, (*grants, *become.grants), change.said)
        return None

    def new(self, actor: Actor, rule: Rule) -> Hop | None:
        """The hop by which an actor makes a new principal that is an administrator, and becomes it."""
        if not all(self._asker.says(actor, demand.action) for demand in rule.demands if demand.action != ASSUME_ROLE):
            return None
        actions = [demand.action for demand in rule.demands if demand.on == "new"]
        account = self._estate.account_id
        choices: Sequence[Change] = list(changes.NEW[rule.gives](self.holdings, self.sufficient(actor)))
        for named in things.candidates(actor, actions, arn.iam(account, rule.kind, "new-one")):
            entity = arn.entity(named)
            if entity is None or entity.account != account or self.holdings.exists(rule.kind, entity.key):
                continue
            for change in choices:
                asked = [self._of_new(action.action, action.on, named, change) for action in rule.demands if action.action != ASSUME_ROLE]
                grants = self._all(actor, asked)
                if grants is None:
                    continue
                after = self._actors.stranger(actor, rule.kind, named, change.identity or ())
                if not self.is_administrator(after):
                    continue
                become = Became((), named)
                if rule.kind == "role":
                    trusted = self._trusts_by_name(actor, after, Thing(named))
                    if trusted is None:
                        continue
                    become = trusted
                return Hop(rule, actor.named, named, become.arn, (*grants, *become.grants), change.said)
        return None

    @staticmethod
    def _of_new(action: str, on: str, named: str, change: Change) -> tuple[str, Thing, dict[str, str]]:
        thing = Thing(named) if on == "new" else change.on
        keys = change.keys if action.startswith(("iam:Attach", "iam:AddUser")) else {}
        return action, thing, dict(keys)

    def sufficient(self, like: Actor) -> tuple[policy.Attached, ...]:
        """The managed policies that make an administrator of whoever has them and no boundary."""
        if self._sufficient is None:
            found = []
            for managed in self._estate.policies:
                holder = self._actors.stranger(like, "user", arn.iam(self._estate.account_id, "user", "any"), (managed.attached,))
                if self.is_administrator(holder):
                    found.append(managed.attached)
            self._sufficient = tuple(found[:8])
        return self._sufficient

    def _all(self, actor: Actor, asked: Sequence[tuple[str, Thing, dict[str, str]]]) -> tuple[Grant, ...] | None:
        found = []
        for action, thing, keys in asked:
            grant = self._asker.may(actor, action, thing, keys)
            if grant is None:
                return None
            found.append(grant)
        return tuple(found)

    def _become(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        return _BY[rule.by](self, actor, rule, target)

    def _by_key(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        keys = self._estate.keys
        full = keys is not None and keys.get(target.record.id, 0) >= 2
        if full is not (rule.by == "exchanged key"):
            return None
        return self._on_target(actor, rule, target)

    def _by_password(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        passwords = self._estate.passwords
        if passwords is not None and (target.record.id in passwords) is not (rule.by == "other password"):
            return None
        return self._on_target(actor, rule, target)

    def _by_own_trust(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        changing = self._on_target(actor, rule, target)
        if changing is None:
            return None
        key = (actor.alike, target.record.id, target.session)
        if key not in self._own_trust:
            self._own_trust[key] = self._trusts_by_name(actor, target, self.holdings.thing(target))
        become = self._own_trust[key]
        return become._replace(grants=(*changing.grants, *become.grants)) if become is not None else None

    def _by_trust(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        if target.record.trust is None:
            return None
        return self._assumes(actor, target, self.holdings.thing(target), target.record.trust)

    def _assumes(self, actor: Actor, target: Actor, role: Thing, trust: policy.Attached) -> Became | None:
        """The grants to assume a role: in the session of the target or, where any will do, one whose name the conditions ask for."""
        for name in self._actors.names_for(actor, target, trust):
            grant = self._asker.trusts(trust, actor, ASSUME_ROLE, role, {sessions.ROLE_SESSION_NAME: name})
            if grant is not None:
                return Became((grant,), self._actors.in_session(target, name))
        return None

    def _by_provider(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        trust = target.record.trust
        if trust is None or not self._asker.says(actor, rule.demands[0].action):
            return None
        named = {name for one in trust.program.rules if one.statement.principals is not None for name in one.statement.principals.federated}
        for provider in sorted(named):
            if not provider.startswith(f"arn:aws:iam::{self._estate.account_id}:saml-provider/"):
                continue
            changing = self._asker.may(actor, rule.demands[0].action, Thing(provider))
            if changing is None:
                continue
            principal = policy.Principal("federated", "", "", provider=provider)
            for name in self._actors.names_for(actor, target, trust):
                keys = {**_SAML, sessions.ROLE_SESSION_NAME: name}
                vouched = self._asker.vouched(trust, principal, ASSUME_ROLE_WITH_SAML, target.record.arn, keys)
                if vouched is not None:
                    return Became((changing, vouched), self._actors.in_session(target, name))
        return None

    def _on_target(self, actor: Actor, rule: Rule, target: Actor) -> Became | None:
        thing = self.holdings.thing(target)
        grants = self._all(actor, [(demand.action, thing, {}) for demand in rule.demands])
        return Became(grants, target.named) if grants is not None else None

    def _trusts_by_name(self, actor: Actor, role: Actor, thing: Thing) -> Became | None:
        """The grants by which an actor assumes a role whose trust policy names it: of a role its session, which no boundary limits then."""
        statement = {"Effect": "Allow", "Principal": {"AWS": actor.who.principal.arn}, "Action": ASSUME_ROLE}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        trust = policy.Attached(policy.compile_policy(policy.parse(document)), name="a trust policy of its own")
        return self._assumes(actor, role, thing, trust)

    def _passed(self, actor: Actor, rule: Rule, target: Actor) -> tuple[Grant, ...] | None:
        """The grants to pass a role to a service, which for instances is in a profile."""
        passing = self._asker.may(actor, PASS_ROLE, self.holdings.thing(target), {"iam:passedtoservice": rule.service})
        if passing is None:
            return None
        profiles = self._estate.profiles
        if rule.service not in INSTANCES or profiles is None or target.record.id in profiles:
            return (passing,)
        making = ("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile")
        if not all(self._asker.says(actor, action) for action in making):
            return None
        form = arn.iam(self._estate.account_id, "instance-profile", "new-one")
        for named in things.candidates(actor, making, form):
            made = self._all(actor, [(action, Thing(named), {}) for action in making])
            if made is not None:
                return (*made, passing)
        return None

    def serves(self, actor: Actor, rule: Rule) -> bool:
        """Whether an actor is permitted all that a rule's service is asked, whatever the role."""
        return self._served(actor, rule) is not None

    def _served(self, actor: Actor, rule: Rule) -> tuple[Grant, ...] | None:
        """The grants of all that a service is asked, on things of which some could be there."""
        key = (actor.key if self.registered.is_individual(rule) else actor.alike, rule.name)
        if key not in self._services:
            self._services[key] = self._serving(actor, rule)
        return self._services[key]

    def _serving(self, actor: Actor, rule: Rule) -> tuple[Grant, ...] | None:
        demands = [demand for demand in rule.demands if demand.action != PASS_ROLE]
        if not self.registered.granting(rule) and not all(self._asker.says(actor, demand.action) for demand in demands):
            return None
        tagged = things.asks_for_tags(actor, [demand.action for demand in demands])
        regions = (*things.regions(actor, [demand.action for demand in demands]), *self.registered.regions(rule, tagged=tagged))
        for region in dict.fromkeys(regions):
            found: dict[str, Grant] = {}
            for label in dict.fromkeys(demand.on for demand in demands):
                actions = [demand.action for demand in demands if demand.on == label]
                grants = self._on_some(actor, actions, label, region, self.registered.things(rule, label, region, tagged=tagged))
                if grants is None:
                    break
                found |= {grant.action: grant for grant in grants}
            else:
                return tuple(found[demand.action] for demand in demands)
        return None

    def _on_some(
        self, actor: Actor, actions: Sequence[str], label: str, region: str, registered: Sequence[str]
    ) -> tuple[Grant, ...] | None:
        """The grants of actions on one and the same thing, one that could be there or one that is registered."""
        named = ["*"]
        if label in FORMS:
            service, _, rest = FORMS[label].partition(":")
            named = list(things.candidates(actor, actions, f"arn:aws:{service}:{region}:{self._estate.account_id}:{rest}"))
        for one in (*named, *registered):
            grants = self._all(actor, [(action, Thing(one), {things.REGION_KEY: region}) for action in actions])
            if grants is not None:
                return grants
        return None


_BY: dict[str, Callable[[Ways, Actor, Rule, Actor], Became | None]] = {
    "key": Ways._by_key,
    "exchanged key": Ways._by_key,
    "first password": Ways._by_password,
    "other password": Ways._by_password,
    "own trust": Ways._by_own_trust,
    "trust": Ways._by_trust,
    "provider": Ways._by_provider,
}
