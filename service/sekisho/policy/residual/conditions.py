"""One condition of a statement, where the tags of the resource are not known: what it asks of them.

Whatever a condition asks of the rest of the request is asked at once, by the test that decisions use. A condition on a tag becomes leaves
about that tag. Where the listed values are made of a tag, the same test is asked for each value of the tag that could make a difference.
"""

from collections.abc import Callable, Iterator, Sequence

from sekisho.policy import comparisons, operands, operators, patterns, variables
from sekisho.policy.conditions import Compiled
from sekisho.policy.document import Condition
from sekisho.policy.keys import Values
from sekisho.policy.operators import FOR_ALL, Form, form
from sekisho.policy.residual import shapes
from sekisho.policy.residual.nodes import Node, TagExists, TagIn, Unsaid, all_of, negated, some_of
from sekisho.policy.residual.resources import MAX_TAG_VALUE, Resources, tag_in, tag_in_any_case, tag_like
from sekisho.policy.variables import Part, Variable

MAX_CANDIDATES = 512
"""Values of one tag that are tried out."""

_OTHER = "\U000f0f0f"  # of a plane for private use: a value that is none of those that make a difference
_SOME = "x"

Listed = Sequence[tuple[patterns.Token, ...]]


def condition(key: str, written: Condition, made: Compiled, *, deny: bool, dynamic: bool, context: Values, resources: Resources) -> Node:
    """The resources for which a condition is met; `key` is its key in lower case."""
    tag = resources.tag(key)
    tags = {found for variable in made.referred if (found := resources.tag(variable.key)) is not None}
    if tag is None and not tags:
        return made.test(context)
    asked = form(written.operator)
    if asked is None:
        return made.test(context)
    if tag is None:
        return _of_values(key, written, made, asked, tags, context, resources)
    if tags:
        return Unsaid(f"the condition on `{written.key}` compares it with another tag")
    return _of_tag(key, tag, written, made, asked, deny=deny, dynamic=dynamic, context=context)


def _of_tag(key: str, tag: str, written: Condition, made: Compiled, asked: Form, *, deny: bool, dynamic: bool, context: Values) -> Node:
    """A condition on a tag."""
    exists: Node = TagExists(tag)
    filled = all_of((exists, negated(TagIn(tag, ("",)))))  # what Null and ForAllValues take as present
    row = asked.row
    if row is None:
        absent, present = made.test(context), made.test({**context, key: _SOME})
        return present if absent is present else filled if present else negated(filled)
    doubt = deny is not row.negated
    read = [variables.parse(value, variables=dynamic and row.type.variables, wildcards=row.wildcards) for value in written.values]
    listed = [tokens for parts in read if (tokens := variables.resolve(parts, context)) is not None]
    fits = _FITS[row.make](tag, listed, doubt) if row.make in _FITS else _others(row, tag, listed, doubt, written)
    met = negated(fits) if row.negated else fits
    if asked.quantifier == FOR_ALL:
        return some_of((negated(filled), met))
    return some_of((negated(exists), met)) if asked.missing else all_of((exists, met))


def _exact(tag: str, listed: Listed, _doubt: bool) -> Node:
    return tag_in(tag, comparisons.texts(listed))


def _any_case(tag: str, listed: Listed, _doubt: bool) -> Node:
    return tag_in_any_case(tag, comparisons.texts(listed))


def _like(tag: str, listed: Listed, _doubt: bool) -> Node:
    return some_of([tag_like(tag, shapes.of_text(tokens)) for tokens in listed])


def _arn(tag: str, listed: Listed, doubt: bool) -> Node:
    """Segment by segment. In doubt, a value that is not an ARN fits, and a pattern that is not one is fitted by every ARN."""
    made = [shapes.of_arn(tokens) for tokens in listed]
    wanted = [tag_like(tag, shape) for shape in made if shape is not None]
    is_arn = tag_like(tag, shapes.ARN)
    matched = all_of((is_arn, some_of((*wanted, doubt and None in made))))
    return some_of((matched, negated(is_arn))) if doubt and made else matched


_FITS: dict[comparisons.Maker, Callable[[str, Listed, bool], Node]] = {
    comparisons.exact: _exact,
    comparisons.ignoring_case: _any_case,
    comparisons.like: _like,
    comparisons.arn: _arn,
}


def _others(row: operators.Operator, tag: str, listed: Listed, doubt: bool, written: Condition) -> Node:
    """Booleans have two spellings in lower case; what numbers, dates, addresses and binary data are, SQL does not know as policies do."""
    if not listed:
        return False
    if row.type is not operators.BOOL:
        return Unsaid(f"{written.operator} cannot be said of the tag `{tag[:64]}`")
    made = [operands.boolean(patterns.text_of(tokens)) for tokens in listed]
    otherwise = doubt and None in made
    either = {True: tag_in_any_case(tag, ("true",)), False: tag_in_any_case(tag, ("false",))}
    wanted = [either[value] for value in (True, False) if value in made or otherwise]
    return some_of((*wanted, all_of(map(negated, either.values())))) if doubt else some_of(wanted)


def _of_values(key: str, written: Condition, made: Compiled, asked: Form, tags: set[str], context: Values, resources: Resources) -> Node:
    """A condition on another key, whose listed values are made of a tag."""
    value = context.get(key)
    absent = made.test(context)
    if value is None:
        return absent
    row = asked.row
    if row is None or row.make is comparisons.arn or len(tags) > 1:
        return Unsaid(f"the values of {written.operator} on `{written.key}` are made of tags")
    (tag,) = tags
    names = [variable.key for variable in made.referred if resources.tag(variable.key) is not None]
    values = (value,) if isinstance(value, str) else value
    if any(_OTHER in one for one in values):
        return Unsaid(f"`{written.key}` has a character for private use")

    def outcome(text: str) -> bool:
        return made.test({**context, **dict.fromkeys(names, text)})

    any_case = row.make is comparisons.ignoring_case
    candidates: set[str] = set()
    for listed in written.values:
        parts = variables.parse(listed, variables=True, wildcards=row.wildcards)
        for one in values:
            for candidate in _candidates(parts, one, context, resources, any_case=any_case):
                candidates.add(candidate)
                if len(candidates) > MAX_CANDIDATES:
                    return Unsaid(f"too many values of the tag `{tag[:64]}` could make a difference to {written.operator}")
    named = tag_in_any_case if any_case else tag_in
    met = named(tag, [text for text in candidates if outcome(text)])
    exists: Node = TagExists(tag)
    others = all_of((exists, negated(named(tag, candidates)), outcome(_OTHER)))
    return some_of((met, others, all_of((negated(exists), absent))))


def _candidates(parts: tuple[Part, ...], value: str, context: Values, resources: Resources, *, any_case: bool) -> Iterator[str]:
    """The values of a tag with which a listed value could fit a value of the request, and perhaps some more."""
    resolved: list[str | patterns.Wildcard | None] = []  # None: the tag
    for part in parts:
        if not isinstance(part, Variable):
            resolved.append(part)
        elif resources.tag(part.key) is not None:
            resolved.append(None)
        else:
            known = context.get(part.key, part.default)
            if not isinstance(known, str):
                return  # whatever the tag is, the listed value drops out
            resolved.append(known)
    if any_case:
        value = value.lower()
        resolved = [part.lower() if isinstance(part, str) else part for part in resolved]
    if resolved.count(None) == 1 and not any(isinstance(part, patterns.Wildcard) for part in resolved):
        at = resolved.index(None)
        before, after = ("".join(part for part in some if isinstance(part, str)) for some in (resolved[:at], resolved[at + 1 :]))
        if len(value) >= len(before) + len(after) and value.startswith(before) and value.endswith(after):
            yield value[len(before) : len(value) - len(after)]
        return
    if None not in resolved:
        return
    yield ""
    for start in range(len(value)):
        for end in range(start + 1, min(len(value), start + MAX_TAG_VALUE) + 1):
            yield value[start:end]
