"""Plans as messages."""

from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.policy import residual
from sekisho.policy.residual import All, ArnIn, ArnIs, ArnLike, Gap, Kind, Not, Shape, Some, TagExists, TagIn, TagLike

KINDS = {
    Kind.ALWAYS_ALLOWED: pb.PLAN_KIND_ALWAYS_ALLOWED,
    Kind.ALWAYS_DENIED: pb.PLAN_KIND_ALWAYS_DENIED,
    Kind.CONDITIONAL: pb.PLAN_KIND_CONDITIONAL,
}
_WILDCARDS = {Gap.ANY: pb.WILDCARD_ANY, Gap.ONE: pb.WILDCARD_ONE, Gap.RUN: pb.WILDCARD_RUN, Gap.ATOM: pb.WILDCARD_ATOM}


def pattern(shape: Shape) -> pb.Pattern:
    """The message of a shape."""
    return pb.Pattern(
        parts=[pb.PatternPart(text=part) if isinstance(part, str) else pb.PatternPart(wildcard=_WILDCARDS[part]) for part in shape]
    )


def condition(node: residual.Node) -> pb.PlanCondition:
    """The message of a tree."""
    if isinstance(node, bool):
        return pb.PlanCondition(always=node)
    if isinstance(node, All):
        return pb.PlanCondition(all_of=pb.PlanConditions(conditions=map(condition, node.children)))
    if isinstance(node, Some):
        return pb.PlanCondition(some_of=pb.PlanConditions(conditions=map(condition, node.children)))
    if isinstance(node, Not):
        return pb.PlanCondition(negated=condition(node.child))
    if isinstance(node, ArnLike):
        return pb.PlanCondition(arn_like=pattern(node.shape))
    if isinstance(node, ArnIn):
        return pb.PlanCondition(arn_in=pb.Texts(texts=node.texts))
    if isinstance(node, ArnIs):
        parts = [pb.ArnPart(text=part) if isinstance(part, str) else pb.ArnPart(tag=part.key, default=part.default) for part in node.parts]
        return pb.PlanCondition(arn_is=pb.ArnIs(parts=parts, open_end=node.open_end))
    return _of_tag(node)


def _of_tag(node: residual.Node) -> pb.PlanCondition:
    if isinstance(node, TagExists):
        return pb.PlanCondition(tag_exists=node.key)
    if isinstance(node, TagLike):
        return pb.PlanCondition(tag_like=pb.TagLike(key=node.key, pattern=pattern(node.shape)))
    if isinstance(node, TagIn):
        return pb.PlanCondition(tag_in=pb.TagIn(key=node.key, texts=node.texts, ignoring_case=node.ignoring_case))
    raise TypeError(f"{node} has no message")
