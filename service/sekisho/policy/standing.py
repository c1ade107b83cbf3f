"""Standing: what one group of policies says about a request by itself, whatever the other layers say.

Who explains a decision, simulates one or looks for access that is not used asks this beside `decide`; nothing is permitted by it alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sekisho.policy import evaluate, keys, steps
from sekisho.policy.budget import Budget
from sekisho.policy.decide import implied_context, refuse_excess
from sekisho.policy.index import Side
from sekisho.policy.keys import Values
from sekisho.policy.layers import (
    ALLOWED,
    EXPLICITLY_DENIED,
    IDENTITY,
    IMPLICITLY_DENIED,
    Attached,
    Layer,
    Match,
    Outcome,
    Place,
    Request,
)
from sekisho.policy.principals import NONE

_AT_ONCE = 64
"""Statements between two steps."""


class Standing(NamedTuple):
    """All statements of a group that match, in order; `error` says why nothing could be told, which is an implicit denial."""

    denies: tuple[Match, ...] = ()
    allows: tuple[Match, ...] = ()
    error: str = ""

    @property
    def outcome(self) -> Outcome:
        """What they come to: a Deny counts before any Allow."""
        return EXPLICITLY_DENIED if self.denies else ALLOWED if self.allows else IMPLICITLY_DENIED


def standing(group: Iterable[Attached], request: Request, *, layer: Layer = IDENTITY, bounded: bool = False) -> Standing:
    """How policies that are attached together stand towards a request; never raises.

    `layer` says what they are: those of resources, trust policies and RCPs match only where they mean the principal. `bounded`: the
    principal has a permissions boundary, through which a Deny with NotPrincipal does not see.
    """
    try:
        refuse_excess(request)
        context = implied_context(request)
        counted = Budget()
        denies: list[Match] = []
        allows: list[Match] = []
        for attached in group:
            place = Place(layer, 0, attached)
            deny, allow, _ = place.bucket(request.action)
            denies += _matching(deny, place, request, context, counted, bounded=bounded)
            allows += _matching(allow, place, request, context, counted, bounded=bounded)
        return Standing(tuple(denies), tuple(allows))
    except Exception as error:
        return Standing(error=f"{type(error).__name__}: {error}"[:512])


def asked_keys(group: Iterable[Attached], action: str) -> dict[str, str]:
    """The keys that statements about an action ask for: in lower case, and in their documented spelling."""
    action = action.lower()
    found: dict[str, str] = {}
    for attached in group:
        for rule in attached.program.rules:
            steps.step()
            if rule.covers_action(action):
                for name in (*(condition.key for condition in rule.statement.conditions), *(variable.key for variable in rule.referred)):
                    found.setdefault(name.lower(), keys.canonical(name))
    return found


def lacked(asked: Mapping[str, str], request: Request) -> tuple[str, ...]:
    """Those of the asked keys that the request lacks, in their documented spelling."""
    context = implied_context(request)
    return tuple(name for key, name in asked.items() if key not in context)


def _matching(side: Side | None, place: Place, request: Request, context: Values, counted: Budget, *, bounded: bool) -> Iterator[Match]:
    if side is None:
        return
    counted.charge(side[-1], request.resource, context)
    for number, rule in enumerate(evaluate.matching(side, request.resource, context)):
        if number % _AT_ONCE == 0:
            steps.step()
        grantees = rule.grantees
        if not place.of_resource:
            means = True
        elif grantees is None:
            means = rule.deny  # a Deny that names nobody denies everybody
        elif rule.deny:
            means = grantees.denies(request.principal, bounded=bounded)
        else:
            means = grantees.grant(request.principal) > NONE
        if means:
            yield Match(*place, rule.statement)
