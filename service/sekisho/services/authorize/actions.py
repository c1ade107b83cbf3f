"""ListAllowedActions: what somebody may do on a resource.

The actions are those that somebody could ask about: all of this server's services and of those that the caller's account has defined, and
all that the policies that apply name one by one. They are decided about one by one, as Authorize does. What another account's policies name
is not told: of its principals, actions are asked about that definitions have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import policy
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.calls import pages, service_definitions
from sekisho.calls.call import Call
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import definitions as own_definitions
from sekisho.operations import operation
from sekisho.policy.layers import places
from sekisho.policy.rules import Rule
from sekisho.services.authorize import decisions, looks, organizations
from sekisho.store.db import remaining
from sekisho.store.tables import DefinedService
from sekisho.world import Acting, Question

MOST_DECIDED = 2_000
"""Actions that are decided about for one page."""
MOST_SERVICES = 32
"""Services whose definitions are read for one page."""
_ANY = "ListAllowedActions"
_END = "\U0010ffff"
_LONGEST = 192


class _Found(NamedTuple):
    """The services of a page, each with its actions by their names in lower case and with the question; and what is said beside."""

    who: Acting
    services: Sequence[tuple[str, Mapping[str, str], Question]]
    more: bool
    undefined: list[str]


@operation
def list_allowed_actions(call: Call, request: pb.ListAllowedActionsRequest) -> pb.ListAllowedActionsResponse:
    """In pages of services: a page ends when it has enough actions, or has decided about enough."""
    cold.may_wait()
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    after: list[str] = cursor.open(request.next_token) if request.next_token else ["", ""]
    subject, asked = decisions.read_question(call, looks.question(request, action=f"authorize:{_ANY}"))
    wanted = frozenset(name.lower() for name in request.services)

    def look(session: Session, reader: Reader) -> _Found:
        who, question = decisions.compose_question(call, subject, asked, reader)
        defined = set(session.scalars(select(DefinedService.name).where(DefinedService.account_id == call.account_id)))
        defined |= own_definitions.own().keys()
        shown = _shown(call, *question)
        named = _named(shown)
        known = {name for name in defined | named.keys() if name >= after[0] and (not wanted or name in wanted)}
        here = sorted(known)[:MOST_SERVICES]
        loaded = service_definitions.load_definitions(session, call.account_id, here)
        services = []
        for name in here:
            remaining(call.deadline)
            found = {action.name.lower(): action.name for action in loaded[name].actions} if name in loaded else {}
            # What is registered of the resource must not be contradicted by a key of this service, whose actions are asked about.
            of_service = decisions.compose_question(call, subject, asked._replace(action=f"{name}:{_ANY}"), reader)[1]
            services.append((name, named.get(name, {}) | found, of_service))
        undefined = sorted(name for name in _patterned(shown) - defined if not wanted or name in wanted)
        return _Found(who, services, len(known) > len(here), undefined)

    found, call.point = looks.both(call, f"{call.account_id}:services/*", look)
    allowed, last = _allowed(call, found, after, request.max_results or looks.MOST)
    return pb.ListAllowedActionsResponse(
        actions=allowed,
        next_token=cursor.marker(last) if last else "",
        revision=call.point.token,
        principal_arn=found.who.arn,
        undefined_services=found.undefined,
    )


def _allowed(call: Call, found: _Found, after: list[str], most: int) -> tuple[list[str], list[str]]:
    """The allowed actions, and where the next page begins; nowhere at the end."""
    allowed: list[str] = []
    decided = 0
    place: list[str] = []
    with decisions.turn(call) as turn:
        for service, actions, (made, layers) in found.services:
            for name in sorted(actions):
                if [service, name] <= after:
                    continue
                if len(allowed) == most or decided == MOST_DECIDED:
                    return allowed, place or after
                remaining(call.deadline)
                turn.pause()
                action = f"{service}:{actions[name]}"
                if policy.decide(replace(made, action=action), layers).allowed:
                    allowed.append(action)
                decided += 1
                place = [service, name]
    return allowed, [found.services[-1][0], _END] if found.more else []


def _shown(call: Call, made: policy.Request, layers: policy.Layers) -> policy.Layers:
    """The layers of which the caller learns what they name: its own account's, and its own organization's."""
    if made.principal.account != call.account_id:
        return policy.Layers()
    return organizations.visible(call, made, layers)


def _rules(layers: policy.Layers) -> Iterator[Rule]:
    for place in places(policy.Request(policy.Principal("anonymous", "", ""), "", "", None, {}), layers):
        yield from place.attached.program.rules


def _named(layers: policy.Layers) -> dict[str, dict[str, str]]:
    """The actions that policies name one by one, by service and by name in lower case, as they are first spelled."""
    found: dict[str, dict[str, str]] = {}
    for service, name in _literal(action for rule in _rules(layers) for action in rule.statement.actions):
        found.setdefault(service.lower(), {}).setdefault(name.lower(), name)
    return found


def _literal(actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    for action in actions:
        service, colon, name = action.partition(":")
        if colon and service and name and "*" not in action and "?" not in action and 3 <= len(action) <= _LONGEST:
            yield service, name


def _patterned(layers: policy.Layers) -> set[str]:
    """The services of which some Allow names actions by a pattern."""
    found = set()
    for rule in _rules(layers):
        for action in rule.statement.actions if not rule.deny else ():
            service, colon, name = action.lower().partition(":")
            if colon and ("*" in name or "?" in name) and "*" not in service and "?" not in service:
                found.add(service)
    return found
