"""A plan as a filter of SQLAlchemy, for SQLite and PostgreSQL: it selects the rows that Authorize would allow, and no others.

Texts compare byte by byte, whatever collation a column has, and every text of the plan is a bound parameter. A row without an ARN, or one
that no plan is about because its ARN or a tag that is asked for is too long or holds U+0000, is never selected.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, case, false, func, literal, true

from sekisho.filters import dialects, spellings
from sekisho.filters.dialects import Either, Every
from sekisho.policy import residual
from sekisho.policy.residual import ANY, ATOM, ONE, RUN, All, ArnIn, ArnIs, ArnLike, Node, Not, Some, TagExists, TagIn, TagLike, TagText

Expression = ColumnElement[Any]
Condition = ColumnElement[bool]
Tags = Callable[[str], Expression]
"""The value of a tag, NULL where a row lacks it; asked for by the key in lower case."""


def where(plan: residual.Plan, *, arn: Expression, tags: Tags) -> Condition:
    """The filter of a plan over rows that have a column, or an expression, for the ARN, and one for each tag.

    `tags` is asked once for each tag that the plan is about; what it raises for a tag that rows cannot have is for the caller to say.
    """
    if plan.condition is False:
        return false()
    exact = dialects.Exactly(arn)
    values = {key: dialects.Exactly(tags(key)) for key in sorted({key for leaf in residual.leaves(plan.condition) for key in _keys(leaf)})}
    sound = [_sound(value, residual.MAX_TAG_VALUE) for value in values.values()]
    scope = _joined(Either, [_matching(exact, shape) for shape in plan.scopes])
    found = _Tests(exact, values).of(plan.condition)
    return _joined(Every, [exact.is_not(None), _sound(exact, plan.longest), *sound, scope, found])


def _keys(leaf: Node) -> Iterator[str]:
    if isinstance(leaf, (TagExists, TagLike, TagIn)):
        yield leaf.key
    elif isinstance(leaf, ArnIs):
        yield from (part.key for part in leaf.parts if isinstance(part, TagText))


class _Tests:
    """The tests of a tree; each is true or false, never NULL, of a row that has an ARN."""

    def __init__(self, arn: Expression, values: dict[str, dialects.Exactly]) -> None:
        self._arn, self._values = arn, values

    def of(self, node: Node) -> Condition:
        """The test of a node."""
        if isinstance(node, bool):
            return true() if node else false()
        if isinstance(node, All):
            return _joined(Every, [self.of(child) for child in node.children])
        if isinstance(node, Some):
            return _joined(Either, [self.of(child) for child in node.children])
        if isinstance(node, Not):
            return dialects.Turned(self.of(node.child))
        if isinstance(node, ArnLike):
            return _matching(self._arn, node.shape)
        if isinstance(node, ArnIn):
            return self._arn.in_(node.texts)
        if isinstance(node, ArnIs):
            return self._is(node)
        return self._of_tag(node)

    def _of_tag(self, node: Node) -> Condition:
        if not isinstance(node, (TagExists, TagLike, TagIn)):
            raise TypeError(f"{node} is nothing that rows can be selected by")
        value = self._values[node.key]
        there = value.is_not(None)
        if isinstance(node, TagExists):
            return there
        if isinstance(node, TagLike):
            return Every(there, _matching(value, node.shape))
        if node.ignoring_case:
            return Every(there, _joined(Either, [_in_any_case(value, text) for text in node.texts]))
        return Every(there, value.in_(node.texts))

    def _is(self, node: ArnIs) -> Condition:
        said: list[Expression] = []
        needed: list[Condition] = []
        for part in node.parts:
            if isinstance(part, str):
                said.append(literal(part, Text))
                continue
            value = self._values[part.key]
            if part.default is None:
                needed.append(value.is_not(None))
                said.append(value)
            else:
                said.append(func.coalesce(value, literal(part.default, Text)))
        text = dialects.Exactly(functools.reduce(lambda one, other: one.concat(other), said))
        begun = dialects.Exactly(func.substr(self._arn, 1, func.length(text))) if node.open_end else self._arn
        return Every(*needed, func.coalesce(begun == text, false()))


def _joined(how: type[Every | Either], tests: Sequence[Condition]) -> Condition:
    """All tests, as a balanced tree: SQLite takes no expression that is more than 1,000 deep, and in `a OR b OR c` each is one deeper."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) <= 4:
        return how(*tests)
    half = len(tests) // 2
    return how(_joined(how, tests[:half]), _joined(how, tests[half:]))


def _sound(value: Expression, most: int) -> Condition:
    """Where there is a value, it is one that plans are about."""
    return func.coalesce(Every(func.length(value) <= most, dialects.Whole(value)), true())


def _matching(value: Expression, shape: residual.Shape) -> Condition:
    """A value that matches a shape; NULL, or false, of one that is NULL."""
    literals = [part for part in shape if isinstance(part, str)]
    if len(literals) == len(shape):
        return value == "".join(literals)
    like = dialects.Like(value, *map(_text, (spellings.glob(shape), spellings.like(shape))))
    if RUN not in shape and ATOM not in shape:
        return like
    if ANY not in shape and ONE not in shape:  # with as many colons as stand there, no wildcard has one
        colons = func.length(value) - func.length(func.replace(value, _text(":"), _text("")))
        return Every(like, colons == sum(text.count(":") for text in literals))
    # Only what that leaves is put to a regular expression, which costs more; of AND a database may take either side first.
    return case((like, dialects.Regular(value, *map(_text, (spellings.python(shape), spellings.posix(shape))))), else_=false())


def _in_any_case(value: Expression, text: str) -> Condition:
    """A value whose lower case is a text."""
    letters = spellings.letters(text)
    if all(len(letter) == 1 for letter in letters):
        return value == text
    return dialects.Spelled(value, *map(_text, spellings.of_letters(letters)))


def _text(text: str) -> Expression:
    return literal(text, Text)
