"""What a caller sees of the policies of others: those of its own organization and account, and no other's.

The subject of a question, and the owner of its resource, may be of another organization than the service that asks, and the resource may
be one that another account has registered. That its policies denied is then said, and by which kind; what they are called, and what they
say, is not; nor how the resource is tagged.
"""

from dataclasses import replace

from sekisho import policy
from sekisho.calls.call import Call
from sekisho.world import Asked, Question

_KEYS = {policy.Layer.SCP: "aws:principalorgid", policy.Layer.RCP: "aws:resourceorgid"}
"""The organization whose policies stand in a layer, by the key that names it."""

_OF_ORGANIZATIONS = (("aws:resourceorgid", "aws:resourceorgpaths"), ("aws:sourceorgid", "aws:sourceorgpaths"))
"""What records say of an organization: its id, and where in it the account is."""


def is_foreign(call: Call, asked: policy.Request, layer: policy.Layer) -> bool:
    """True of a layer that an organization puts on a question which is not the caller's own."""
    key = _KEYS.get(layer)
    if key is None:
        return False
    place = call.caller.placement
    return place is None or asked.context.get(key) != place.organization_id


def is_registered_elsewhere(call: Call, asked: policy.Request, layers: policy.Layers) -> bool:
    """True where the resource's policy is one that another account has registered; those that callers give have no ARN."""
    return layers.resource is not None and layers.resource.arn != "" and asked.owner != call.account_id


def of_others(call: Call, asked: policy.Request) -> tuple[str, ...]:
    """The keys of a context that tell the organization of the resource's owner, or of the source account, where it is not the caller's."""
    own = call.caller.placement.organization_id if call.caller.placement is not None else None
    return tuple(key for keys in _OF_ORGANIZATIONS if asked.context.get(keys[0]) != own for key in keys)


def hidden_keys(call: Call, asked: policy.Request, said: Asked) -> frozenset[str]:
    """The keys of which an explanation tells no value: what is known of another organization, and the tags that another account has
    registered of its resource; not what the caller has said itself.
    """
    hidden = set(of_others(call, asked))
    if asked.owner != call.account_id:
        hidden |= {key for key in asked.context if key.startswith("aws:resourcetag/")}
    return frozenset(hidden - said.given.keys() - {f"aws:resourcetag/{key.lower()}" for key in said.tags})


def visible(call: Call, asked: policy.Request, layers: policy.Layers) -> policy.Layers:
    """The layers that an explanation to the caller may be made of."""
    if layers.rcps is not None and is_foreign(call, asked, policy.Layer.RCP):
        layers = replace(layers, rcps=None)
    return replace(layers, resource=None) if is_registered_elsewhere(call, asked, layers) else layers


def shown(call: Call, question: Question, decision: policy.Decision) -> policy.Decision:
    """The decision with its reasons as far as the caller sees them."""
    asked, layers = question
    if is_registered_elsewhere(call, asked, layers):
        matched = tuple(match for match in decision.matched if match.layer is not policy.Layer.RESOURCE)
        decision = decision._replace(matched=matched, missing_keys=())
    if decision.layer not in _KEYS and _KEYS.keys().isdisjoint([match.layer for match in decision.matched]):
        return decision
    matched = tuple(match for match in decision.matched if not is_foreign(call, asked, match.layer))
    foreign = decision.layer is not None and is_foreign(call, asked, decision.layer)
    return decision._replace(matched=matched, missing_keys=() if foreign else decision.missing_keys)
