"""Plans: on which resources a principal may do an action, as an exact condition on their ARNs and tags."""

from sekisho.policy.residual.evaluate import allows, holds
from sekisho.policy.residual.nodes import All, ArnIn, ArnIs, ArnLike, Leaf, Node, Not, Some, TagExists, TagIn, TagLike, TagText, leaves
from sekisho.policy.residual.notation import from_json, to_json
from sekisho.policy.residual.planning import Kind, Plan, plan
from sekisho.policy.residual.resources import MAX_ARN, MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS, Inexpressible, Resources
from sekisho.policy.residual.shapes import ANY, ARN, ATOM, ONE, RUN, Gap, Shape

__all__ = [
    "plan",
    "Plan",
    "Kind",
    "Resources",
    "Inexpressible",
    "allows",
    "holds",
    "to_json",
    "from_json",
    "Node",
    "All",
    "Some",
    "Not",
    "Leaf",
    "leaves",
    "ArnLike",
    "ArnIn",
    "ArnIs",
    "TagText",
    "TagExists",
    "TagLike",
    "TagIn",
    "Shape",
    "Gap",
    "ANY",
    "ONE",
    "RUN",
    "ATOM",
    "ARN",
    "MAX_ARN",
    "MAX_TAGS",
    "MAX_TAG_KEY",
    "MAX_TAG_VALUE",
]
