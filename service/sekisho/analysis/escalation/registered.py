"""Registered resources that methods are used on, and whom their own policies let in.

What a service has registered (a function, a project) is there, with a policy and tags that decisions follow. So a method that uses what
acts as a role already is open to whom the policy of such a thing lets in as well: in its account without a word of that principal's own
policies, from another one with it. Whose own policies ask for tags is permitted it on what has them, of which there may be nothing else.
"""

from collections.abc import Mapping, Sequence

from sekisho import policy
from sekisho.analysis.escalation.actors import is_account
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.rules import FORMS, Rule
from sekisho.analysis.escalation.things import kind_of
from sekisho.world import ResourceRecord

SERVICES = frozenset(form.partition(":")[0] for form in FORMS.values())
"""The services of which methods use things."""

MOST = 16
"""Registered resources that let somebody in and are followed for one method; of those that have tags, for each word of one."""


class Registered:
    """The registered resources of an account, by method."""

    def __init__(self, estate: Estate) -> None:
        self.by_arn: Mapping[str, ResourceRecord] = {one.id: one for one in estate.resources}
        self._limited = [one for one in estate.resources if one.policy is not None]
        self._tagged = [one for one in estate.resources if one.tags]
        self._fitting: dict[str, tuple[ResourceRecord, ...]] = {}
        self._with_tags: dict[str, tuple[ResourceRecord, ...]] = {}
        self.left_out: dict[str, None] = {}

    def is_individual(self, rule: Rule) -> bool:
        """True of a rule that can be permitted one principal and not another with the same policies."""
        return any(fits(one, demand.on) for demand in rule.demands if demand.on in FORMS for one in self._limited)

    def granting(self, rule: Rule) -> Sequence[ResourceRecord]:
        """Those that a rule is used on whose policies allow something of it."""
        if rule.name not in self._fitting:
            found = [one for one in self._limited if any(fits(one, on) and _allows(one.policy, action) for action, on in rule.demands)]
            if len(found) > MOST:
                self.left_out[f"more than {MOST} registered resources let somebody do {rule.name}"] = None
            self._fitting[rule.name] = tuple(found[:MOST])
        return self._fitting[rule.name]

    def with_tags(self, label: str) -> Sequence[ResourceRecord]:
        """Those that one word of a rule can mean, and that have tags."""
        if label not in self._with_tags:
            found = [one for one in self._tagged if fits(one, label)]
            if len(found) > MOST:
                self.left_out[f"more than {MOST} registered resources have tags and are each a {label}"] = None
            self._with_tags[label] = tuple(found[:MOST])
        return self._with_tags[label]

    def things(self, rule: Rule, label: str, region: str, *, tagged: bool) -> list[str]:
        """The ARNs of those that one word of a rule can mean, in a region or in none; `tagged`: also for what tags they have."""
        found = [one.id for one in self.granting(rule) if fits(one, label)] + [one.id for one in self.with_tags(label) if tagged]
        return [one for one in dict.fromkeys(found) if _region(one) in (region, "")]

    def regions(self, rule: Rule, *, tagged: bool) -> tuple[str, ...]:
        """The regions in which those are."""
        found = [*self.granting(rule), *(one for demand in rule.demands if tagged for one in self.with_tags(demand.on))]
        return tuple(dict.fromkeys(filter(None, (_region(one.id) for one in found))))

    def named(self, rule: Rule) -> frozenset[str]:
        """The principals whom their policies name one by one, and `*` where one means everybody."""
        found: set[str] = set()
        for one in self.granting(rule):
            for each in one.policy.program.rules if one.policy is not None else ():
                meant = each.statement.principals
                if each.deny or meant is None:
                    continue
                found |= {name for name in meant.aws if not is_account(name)}
                if meant.any or meant.everyone or each.statement.not_principal:
                    found.add("*")
        return frozenset(found)


def fits(one: ResourceRecord, label: str) -> bool:
    """True of a registered resource that a word of a rule can mean."""
    if label not in FORMS:
        return False
    service, _, rest = FORMS[label].partition(":")
    segments = one.id.split(":", 5)
    return segments[2] == service and kind_of(segments[5]) == kind_of(rest)


def _allows(attached: policy.Attached | None, action: str) -> bool:
    lowered = action.lower()
    return attached is not None and any(not rule.deny and rule.covers_action(lowered) for rule in attached.program.rules)


def _region(named: str) -> str:
    return named.split(":", 4)[3]
