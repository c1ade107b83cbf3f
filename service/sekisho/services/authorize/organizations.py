"""What a caller sees of the policies of organizations: those of its own organization, and no other's.

The subject of a question, and the owner of its resource, may be of another organization than the service that asks. That its policies
denied is then said, and by which kind; what they are called, and what they say, is not.
"""

from sekisho import policy
from sekisho.calls.call import Call

_KEYS = {policy.Layer.SCP: "aws:principalorgid", policy.Layer.RCP: "aws:resourceorgid"}
"""The organization whose policies stand in a layer, by the key that names it."""


def is_foreign(call: Call, asked: policy.Request, layer: policy.Layer) -> bool:
    """True of a layer that an organization puts on a question which is not the caller's own."""
    key = _KEYS.get(layer)
    if key is None:
        return False
    place = call.caller.placement
    return place is None or asked.context.get(key) != place.organization_id


def shown(call: Call, asked: policy.Request, decision: policy.Decision) -> policy.Decision:
    """The decision with its reasons as far as the caller sees them."""
    if decision.layer not in _KEYS and not any(match.layer in _KEYS for match in decision.matched):
        return decision
    matched = tuple(match for match in decision.matched if not is_foreign(call, asked, match.layer))
    foreign = decision.layer is not None and is_foreign(call, asked, decision.layer)
    return decision._replace(matched=matched, missing_keys=() if foreign else decision.missing_keys)
