"""A plan asked about one resource."""

from collections.abc import Mapping

from sekisho.policy.residual.nodes import All, ArnIn, ArnIs, ArnLike, Node, Not, Some, TagExists, TagIn, TagLike, TagText
from sekisho.policy.residual.planning import Plan
from sekisho.policy.residual.resources import MAX_ARN, MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS
from sekisho.policy.residual.shapes import automaton


def allows(plan: Plan, arn: str, tags: Mapping[str, str]) -> bool:
    """Whether a plan allows a resource; ValueError for one that no plan is about (`resources`)."""
    lowered = {key.lower(): value for key, value in tags.items()}
    if len(lowered) != len(tags):
        raise ValueError("a tag is given twice; the case of its key makes no difference")
    if len(arn) > MAX_ARN or len(tags) > MAX_TAGS or any(len(k) > MAX_TAG_KEY or len(v) > MAX_TAG_VALUE for k, v in lowered.items()):
        raise ValueError(f"an ARN has at most {MAX_ARN} characters, a resource {MAX_TAGS} tags of {MAX_TAG_KEY} and {MAX_TAG_VALUE}")
    return len(arn) <= plan.longest and any(automaton(scope).matches(arn) for scope in plan.scopes) and holds(plan.condition, arn, lowered)


def holds(node: Node, arn: str, tags: Mapping[str, str]) -> bool:
    """Whether a node is true of a resource, whose tags are by key in lower case."""
    if isinstance(node, bool):
        return node
    if isinstance(node, All):
        return all(holds(child, arn, tags) for child in node.children)
    if isinstance(node, Some):
        return any(holds(child, arn, tags) for child in node.children)
    if isinstance(node, Not):
        return not holds(node.child, arn, tags)
    if isinstance(node, ArnLike):
        return automaton(node.shape).matches(arn)
    if isinstance(node, ArnIn):
        return arn in node.texts
    if isinstance(node, ArnIs):
        return _is(node, arn, tags)
    return _of_tag(node, tags)


def _of_tag(node: Node, tags: Mapping[str, str]) -> bool:
    if isinstance(node, TagExists):
        return node.key in tags
    if isinstance(node, TagLike):
        return node.key in tags and automaton(node.shape).matches(tags[node.key])
    if isinstance(node, TagIn):
        value = tags.get(node.key)
        return value is not None and (value.lower() if node.ignoring_case else value) in node.texts
    raise TypeError(f"{node} is nothing that can be asked")


def _is(node: ArnIs, arn: str, tags: Mapping[str, str]) -> bool:
    text = ""
    for part in node.parts:
        said = tags.get(part.key, part.default) if isinstance(part, TagText) else part
        if said is None:
            return False
        text += said
    return arn.startswith(text) if node.open_end else arn == text
