"""Those who are permitted to free an account of control policies: of each method, which of its steps."""

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sekisho import world
from sekisho.analysis.escalation import freeing
from sekisho.analysis.escalation.actors import Actor, reads_principal
from sekisho.analysis.escalation.asking import CONNECTION, Grant, Thing
from sekisho.analysis.escalation.between import Between, both
from sekisho.analysis.escalation.freeing import Realm, Step
from sekisho.analysis.escalation.rules import Rule
from sekisho.world import Keys

MOST_GRANTS = 100_000
"""Answers about things of the organization that are remembered."""

Grants = tuple[Grant, ...]


class Doers(NamedTuple):
    """Principals who are permitted the same steps, by number, each by the same grants."""

    steps: Mapping[int, Grants]
    actors: Sequence[Actor]


class Freers:
    """Asks who is permitted what of an organization."""

    def __init__(self, between: Between, realm: Realm, supposed: Keys) -> None:
        self._between, self._realm, self._supposed = between, realm, supposed
        self._grants: dict[tuple[object, ...], Grant | None] = {}  # on things of the organization, of those who are alike

    def of(self, account: str, steps: Sequence[Step], known: Container[str]) -> list[Doers]:
        """Those who are permitted some of the steps that free an account, but for those who are known."""
        actors: dict[str, Actor] = {}
        parts: dict[str, list[Mapping[int, Grants]]] = {}
        for rule in freeing.FREEING.values():
            some = {number: step for number, step in enumerate(steps) if step.rule is rule}
            for actor, permitted in self._permitted(rule, account, some, known) if some else ():
                actors[actor.named] = actor
                parts.setdefault(actor.named, []).append(permitted)
        found: dict[tuple[int, ...], Doers] = {}
        alike: dict[tuple[int, ...], list[Actor]] = {}
        for named, some_parts in parts.items():
            key = tuple(map(id, some_parts))
            if key not in found:
                alike[key] = []
                found[key] = Doers({number: grants for part in some_parts for number, grants in part.items()}, alike[key])
            alike[key].append(actors[named])
        return list(found.values())

    def _permitted(
        self, rule: Rule, account: str, steps: Mapping[int, Step], known: Container[str]
    ) -> Iterator[tuple[Actor, Mapping[int, Grants]]]:
        """Those who may do some steps of a method, each with what permits them; the same mapping for all who are alike."""
        action, delegating = rule.demands[0].action, self._realm.delegating
        individual = delegating is not None and reads_principal(delegating)
        for where in freeing.doers(rule, account, self._realm, self._between.estates):
            manages = where == self._realm.management_id or rule.gives == "leave"
            answers: dict[object, dict[int, Grants]] = {}
            for actor in self._between.saying(where, action):
                if actor.named in known:
                    continue
                key = actor.alike if manages or not individual else actor.key
                if key not in answers:
                    grants = {number: self._all((where, key), actor, action, step, manages=manages) for number, step in steps.items()}
                    answers[key] = {number: grant for number, grant in grants.items() if grant is not None}
                if answers[key]:
                    yield actor, answers[key]

    def _all(self, who: Hashable, actor: Actor, action: str, step: Step, *, manages: bool) -> Grants | None:
        """The grants of an action on all that a step asks for, to all who are `who` the actor is."""
        found: list[Grant] = []
        for thing in step.asked:
            key = (who, action, thing.arn, *thing.keys.items())
            if key not in self._grants:
                if len(self._grants) >= MOST_GRANTS:
                    self._grants.clear()
                self._grants[key] = self._on_thing(actor, action, thing, manages=manages)
            grant = self._grants[key]
            if grant is None:
                return None
            found.append(grant)
        return tuple(found)

    def _on_thing(self, actor: Actor, action: str, thing: Thing, *, manages: bool) -> Grant | None:
        """The grant of an action on a thing of the organization: to the account that manages it by its own policies, to others besides by
        the organization's.
        """
        own = self._between.estates[actor.record.account_id]
        asked = world.Asked(
            action=action,
            resource=thing.arn,
            account=actor.record.account_id,
            resource_account=actor.record.account_id,
            tags=thing.tags,
            tag_prefixes=("aws", "organizations"),
            environment=CONNECTION,
            given=thing.keys,
            override=self._supposed,
            registered=False,
        )
        grant = self._between.grant(actor, asked, own.lookup)
        if grant is None or manages:
            return grant
        there = asked._replace(resource_account=self._realm.management_id, resource_policy=self._realm.delegating)
        return self._between.grant(actor, there, both(self._between.estates[self._realm.management_id], own))
