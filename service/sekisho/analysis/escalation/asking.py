"""Questions to the evaluator: is an actor permitted an action on something, and by which statements.

Everything that is reported was answered by `policy.decide`, of what `world.question` composed. Only questions whose answer is plain are not
asked: where no Allow of the actor's own policies is about the action, or none of those is about the resource. An answer holds for all who
are alike, and for all resources where nothing that is said about the action asks for one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sekisho import policy, world
from sekisho.analysis.escalation.actors import Actor, is_account, reads_principal
from sekisho.analysis.escalation.estate import Estate
from sekisho.policy import evaluate
from sekisho.policy.index import Side
from sekisho.policy.patterns import ANY
from sekisho.world import NO_KEYS, Keys

_NO_TAGS: Mapping[str, str] = {}
_MOST = 200_000
"""Answers that are remembered; each takes about 300 bytes."""
_PACE = 32
"""Decisions after which others have their turn."""

CONNECTION: Keys = {**world.OF_SERVICE, "aws:securetransport": "true"}


class Place(NamedTuple):
    """A statement that permits: the layer, the policy by its ARN or its name, its version, and the statement by Sid and place."""

    layer: str
    policy_arn: str
    policy_name: str
    policy_version: str
    sid: str
    place: int


class Grant(NamedTuple):
    """An action that is permitted on a resource, and the statements that permit it."""

    action: str
    resource: str
    statements: tuple[Place, ...]


class Thing(NamedTuple):
    """Something that actions are done to: its ARN, its tags, and the condition keys that come from it."""

    arn: str
    tags: Mapping[str, str] = _NO_TAGS
    keys: Keys = NO_KEYS


class Asker:
    """Asks, and remembers. `supposed` are condition keys that are taken so; `proceed` is called every few decisions, and may raise."""

    def __init__(self, estate: Estate, supposed: Keys, proceed: Callable[[], None]) -> None:
        self._estate, self._supposed, self._proceed = estate, supposed, proceed
        self._answers: dict[tuple[object, ...], tuple[Place, ...] | None] = {}
        self._says: dict[tuple[int, str], bool] = {}
        self._plain: dict[tuple[int, str], bool] = {}
        self._individual: dict[int, bool] = {}
        self._delegating: dict[int, bool] = {}
        self._registered = frozenset(one.id for one in estate.resources)
        self.decisions = 0

    def says(self, actor: Actor, action: str) -> bool:
        """Whether an Allow of the actor's own policies is about the action at all."""
        key = (actor.alike, action)
        found = self._says.get(key)
        if found is None:
            found = self._says[key] = any(side(attached, action) is not None for attached in actor.who.identity)
        return found

    def may(self, actor: Actor, action: str, thing: Thing, keys: Keys = NO_KEYS) -> Grant | None:
        """The grant of an action on a thing by the actor's own policies and, of a registered one, its policy; None where it is not
        permitted.
        """
        if thing.arn in self._registered:
            return self._registered_may(actor, action, thing, keys)
        if not self.says(actor, action):
            return None
        plain = self._is_plain(actor, action)
        key = (actor.alike, action, "" if plain else thing.arn, *_flat(thing.keys), *_flat(keys))
        if key in self._answers:
            return _grant(action, thing.arn, self._answers[key])
        if not plain and not self._is_about(actor, action, thing, keys):
            return None
        return _grant(action, thing.arn, self._remember(key, self._decide(actor, action, thing, keys, None)))

    def _registered_may(self, actor: Actor, action: str, thing: Thing, keys: Keys) -> Grant | None:
        key = (*actor.key, action, thing.arn, *_flat(keys), "registered")
        if key in self._answers:
            return _grant(action, thing.arn, self._answers[key])
        return _grant(action, thing.arn, self._remember(key, self._decide(actor, action, thing, keys, None)))

    def trusts(self, trust: policy.Attached, actor: Actor, action: str, thing: Thing, keys: Keys) -> Grant | None:
        """The grant of an action on a role by its trust policy and, where that only delegates, by the actor's own policies."""
        if self._delegates(trust) and not (self.says(actor, action) and self._is_about(actor, action, thing, keys)):
            return None
        who = actor.key if self.is_individual(trust) else ()
        key = (actor.alike, action, thing.arn, id(trust.program), *_flat(keys), *who)
        if key in self._answers:
            return _grant(action, thing.arn, self._answers[key])
        return _grant(action, thing.arn, self._remember(key, self._decide(actor, action, thing, keys, trust)))

    def is_individual(self, trust: policy.Attached) -> bool:
        """Whether a trust policy can mean one principal of the account and not another."""
        found = self._individual.get(id(trust.program))
        if found is None:
            found = self._individual[id(trust.program)] = reads_principal(trust)
        return found

    def _delegates(self, trust: policy.Attached) -> bool:
        """Whether a trust policy means nobody but accounts, whose own policies say the rest."""
        found = self._delegating.get(id(trust.program))
        if found is None:
            meant = [rule.statement.principals for rule in trust.program.rules if not rule.deny]
            found = all(one is not None and not one.any and all(map(is_account, one.aws)) for one in meant)
            self._delegating[id(trust.program)] = found
        return found

    def vouched(self, trust: policy.Attached, principal: policy.Principal, action: str, role: str, keys: Keys) -> Grant | None:
        """The grant of an action on a role to a service, or to whom a provider vouches for: the trust policy alone decides."""
        self._count()
        request = policy.Request(principal, action, role, self._estate.account_id, policy.context({**CONNECTION, **keys, **self._supposed}))
        decision = policy.decide(request, policy.Layers(resource=trust))
        return Grant(action, role, places(decision.matched)) if decision.allowed else None

    def _decide(self, actor: Actor, action: str, thing: Thing, keys: Keys, trust: policy.Attached | None) -> tuple[Place, ...] | None:
        self._count()
        asked = world.Asked(
            action=action,
            resource=thing.arn,
            account=self._estate.account_id,
            resource_account=self._estate.account_id,
            resource_policy=trust,
            tags=thing.tags,
            tag_prefixes=("aws", action.partition(":")[0]),
            environment=CONNECTION,
            given={**thing.keys, **keys},
            override=self._supposed,
        )
        decision = policy.decide(*world.question(actor.who, asked, self._estate.lookup, self._estate.now))
        return places(decision.matched) if decision.allowed else None

    def _count(self) -> None:
        if self.decisions % _PACE == 0:
            self._proceed()
        self.decisions += 1

    def _remember(self, key: tuple[object, ...], answer: tuple[Place, ...] | None) -> tuple[Place, ...] | None:
        if len(self._answers) >= _MOST:
            self._answers.clear()
        self._answers[key] = answer
        return answer

    def _is_plain(self, actor: Actor, action: str) -> bool:
        """Whether nothing that is said about an action asks for its resource, or for any key."""
        key = (actor.alike, action)
        found = self._plain.get(key)
        if found is None:
            who = actor.who
            place = who.placement
            groups = (who.identity, who.boundary or (), who.session or (), *(who.scps or ()))
            rcps = place is not None and place.rcps is not None
            found = self._plain[key] = not rcps and all(_is_plain(attached, action) for group in groups for attached in group)
        return found

    def _is_about(self, actor: Actor, action: str, thing: Thing, keys: Keys) -> bool:
        """Whether an Allow of the actor's own policies is about the resource, whatever its conditions."""
        context = {**thing.keys, **keys, **actor.who.keys}
        for attached in actor.who.identity:
            allows = side(attached, action)
            if allows is not None and next(evaluate.covering(allows, thing.arn, context), None) is not None:
                return True
        return False


def side(attached: policy.Attached, action: str) -> Side | None:
    """The Allows of a policy about an action, indexed; None without any."""
    program = attached.program
    return (program.identity.get(action) or program.identity_bucket(action))[1]


def _is_plain(attached: policy.Attached, action: str) -> bool:
    lowered = action.lower()
    return all(
        not rule.tests and not rule.statement.not_resource and (rule.statement.resources is None or (ANY,) in rule.resources)
        for rule in attached.program.rules
        if rule.covers_action(lowered)
    )


def _flat(keys: Keys) -> Iterable[object]:
    return keys.items() if keys else ()


def _grant(action: str, resource: str, found: tuple[Place, ...] | None) -> Grant | None:
    return Grant(action, resource, found) if found is not None else None


def places(matched: Iterable[policy.Match]) -> tuple[Place, ...]:
    """The statements that permit, of a decision that does."""
    return tuple(
        Place(
            match.layer.value,
            match.attached.arn,
            match.attached.name,
            match.attached.version,
            match.statement.sid or "",
            match.statement.index,
        )
        for match in matched
    )
