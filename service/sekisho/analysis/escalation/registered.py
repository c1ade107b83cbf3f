"""Registered resources that methods are used on, and whom their own policies let in.

What a service has registered (a function, a project) is there, with a policy and tags that decisions follow. So a method that uses what
acts as a role already is open to whom the policy of such a thing lets in as well: in its account without a word of that principal's own
policies, from another one with it.
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
"""Registered resources that let somebody in and are followed for one method."""


class Registered:
    """The registered resources of an account, by method."""

    def __init__(self, estate: Estate) -> None:
        self.by_arn: Mapping[str, ResourceRecord] = {one.id: one for one in estate.resources}
        self._limited = [one for one in estate.resources if one.policy is not None]
        self._fitting: dict[str, tuple[ResourceRecord, ...]] = {}
        self.left_out: dict[str, None] = {}

    def is_individual(self, rule: Rule) -> bool:
        """Whether what a rule takes can be permitted one principal and not another with the same policies."""
        return any(fits(one, demand.on) for demand in rule.demands if demand.on in FORMS for one in self._limited)

    def granting(self, rule: Rule) -> Sequence[ResourceRecord]:
        """Those that a rule is used on whose policies allow something of it."""
        if rule.name not in self._fitting:
            found = [one for one in self._limited if any(fits(one, on) and _allows(one.policy, action) for action, on in rule.demands)]
            if len(found) > MOST:
                self.left_out[f"more than {MOST} registered resources let somebody do {rule.name}"] = None
            self._fitting[rule.name] = tuple(found[:MOST])
        return self._fitting[rule.name]

    def things(self, rule: Rule, label: str, region: str) -> list[str]:
        """The ARNs of those that one word of a rule can mean, in a region or in none."""
        return [one.id for one in self.granting(rule) if fits(one, label) and one.id.split(":", 4)[3] in (region, "")]

    def regions(self, rule: Rule) -> tuple[str, ...]:
        """The regions in which those are."""
        return tuple(dict.fromkeys(filter(None, (one.id.split(":", 4)[3] for one in self.granting(rule)))))

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
    """Whether a word of a rule can mean a registered resource."""
    if label not in FORMS:
        return False
    service, _, rest = FORMS[label].partition(":")
    segments = one.id.split(":", 5)
    return segments[2] == service and kind_of(segments[5]) == kind_of(rest)


def _allows(attached: policy.Attached | None, action: str) -> bool:
    lowered = action.lower()
    return attached is not None and any(not rule.deny and rule.covers_action(lowered) for rule in attached.program.rules)
