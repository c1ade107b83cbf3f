"""What was found, as a server answers it and as programs read it."""

from typing import TYPE_CHECKING, Any

from sekisho.analysis.escalation import RULES, Found, Grant, Hop, Path, Place, Rule, Way
from sekisho.analysis.escalation.rules import Demand
from sekisho.world import Keys

if TYPE_CHECKING:
    from sekisho.client import Client

_BY_NAME = {rule.name: rule for rule in RULES}
_PAGE = 1000


def asked(client: "Client", goal: str, supposed: Keys, *, organization: bool = False, timeout: float) -> Found:
    """What the server of a client finds in the caller's account, or its organization, all pages of it."""
    from sekisho.api.insight.v1.escalation_paths_pb2 import SupposedKey
    from sekisho.client import pages

    keys = [SupposedKey(key=key, values=[values] if isinstance(values, str) else values) for key, values in supposed.items()]
    wanted: dict[str, Any] = {"goal_arn": goal} if goal else {}
    if organization:
        wanted["organization"] = True
    answers = list(pages(client.insight.find_escalation_paths, supposed_keys=keys, max_items=_PAGE, timeout=timeout, **wanted))
    first = answers[0]
    return Found(
        account_id=first.account_id,
        administrators=tuple(first.administrators),
        paths=tuple(Path(one.source_arn, tuple(map(_hop, one.hops))) for page in answers for one in page.paths),
        principals=first.principals,
        decisions=first.decisions,
        goal=goal,
        left_out=tuple(first.left_out),
    )


def _hop(said: Any) -> Hop:
    rule = _BY_NAME.get(said.method) or _unknown(said)
    return Hop(rule, said.by_arn, said.on_arn, said.becomes_arn, tuple(map(_grant, said.grants)), said.change, said.presumes)


def _unknown(said: Any) -> Rule:
    """The rule of a server that knows more of them."""
    way = next((way for way in Way if way.value == said.way), Way.BECOME)
    return Rule(way, tuple(Demand(action, "anything") for action in said.method.split(" + ")), published=said.published)


def _grant(said: Any) -> Grant:
    places = (Place(one.layer, one.policy_arn, one.policy_name, one.policy_version, one.sid, one.index) for one in said.statements)
    return Grant(said.action, said.resource, tuple(places))


def plain(found: Found) -> dict[str, Any]:
    """What was found, as JSON values."""
    return {
        "account": found.account_id,
        "goal": found.goal or None,
        "principals": found.principals,
        "administrators": list(found.administrators),
        "paths": [{"source": path.source, "hops": [_plain(hop) for hop in path.hops]} for path in found.paths],
        "left_out": list(found.left_out),
    }


def _plain(hop: Hop) -> dict[str, Any]:
    said = {
        "method": hop.rule.name,
        "published": hop.rule.published,
        "by": hop.by,
        "on": hop.on,
        "becomes": hop.becomes,
        "change": hop.change,
        "presumes": hop.presumes,
    }
    grants = [
        {"action": grant.action, "resource": grant.resource, "statements": [_statement(one) for one in grant.statements]}
        for grant in hop.grants
    ]
    return {**{name: value for name, value in said.items() if value not in ("", None)}, "grants": grants}


def _statement(one: Place) -> dict[str, Any]:
    policy = {"policy": one.policy_arn or one.policy_name, "version": one.policy_version, "sid": one.sid}
    return {"layer": one.layer, **{name: value for name, value in policy.items() if value}, "index": one.place}
