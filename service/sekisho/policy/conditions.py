"""Conditions made ready to be asked: around a row of `operators`, once, what IfExists, ForAllValues and ForAnyValue make of it.

A row compares one value of the request with the listed ones; a negated row is true where none of the listed ones fits. Around it:

    key missing         positive: false; negated: true; ForAllValues: true; ForAnyValue: false; ...IfExists: true
    single value        the row
    ForAllValues        every value of the request satisfies the row (none, or nothing but an empty string: true)
    ForAnyValue         some value satisfies the row
    several values      without a quantifier AWS promises nothing: an Allow does not match, a Deny does where any of them satisfies the row

Doubt allows less. An operator that is not in the table, a listed value that cannot be read, a value of the request that cannot be read:
where such a comparison would have decided, it comes out so that an Allow does not match and a Deny does, negated or not. A comparison that
can be read still decides: `IpAddress` with one bad range holds inside a good one.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sekisho.policy import anchors, comparisons, keys, operands, patterns, variables, weights
from sekisho.policy.budget import NOTHING, Weight
from sekisho.policy.comparisons import Fits
from sekisho.policy.document import Condition
from sekisho.policy.keys import Values
from sekisho.policy.operators import FOR_ALL, Form, form
from sekisho.policy.patterns import Token

Test = Callable[[Values], bool]


class Compiled(NamedTuple):
    """A condition made ready to be asked."""

    test: Test
    referred: tuple[variables.Variable, ...] = ()  # the variables in its listed values
    weight: Weight = NOTHING
    fits: Fits | None = None  # all that the test asks of a key that has one value, where it needs such a key
    reading: tuple[str, str, bool] | None = None  # key, how its values are read, whether all of them are


def compiled(condition: Condition, *, deny: bool, dynamic: bool) -> Compiled:
    """The test of one condition, and what there is to know of it.

    `deny` is the effect of its statement, which decides what doubt comes to; `dynamic`: the document's version has variables.
    """
    made = form(condition.operator)
    if made is None:
        return Compiled(_always(deny), (), _PLAIN)
    key = condition.key.lower()
    if made.row is None:
        return Compiled(_null(key, condition.values, deny), (), _PLAIN)
    row = made.row
    listed = [variables.parse(value, variables=dynamic and row.type.variables, wildcards=row.wildcards) for value in condition.values]
    referred = tuple(variable for parts in listed for variable in variables.referred(parts))
    doubt = deny is not row.negated  # the row's own outcome is turned round after
    if not listed:
        weight = weights.looked_up(()).condition(several=True)
        return Compiled(_around(key, made, _always(False), deny, frozenset()), (), weight)
    several = deny or made.quantifier != ""  # elsewhere a key with several values is never looked into
    weight = row.weigh(listed).condition(several=several)
    reading = (key, row.type.name, several) if row.type.name in weights.READINGS else None
    alone = row.make is comparisons.exact and len(listed) == 1 and made.is_plain
    if referred:
        return Compiled(_is_resolved(key, listed[0], deny) if alone else _resolving(key, made, listed, deny), referred, weight)
    static = [tuple(part for part in parts if not isinstance(part, variables.Variable)) for parts in listed]
    texts = comparisons.texts(static) if row.make is comparisons.exact else None
    fits = texts.__contains__ if texts is not None else row.make(static, doubt)
    test = _is(key, patterns.text_of(static[0]), deny) if alone else _around(key, made, fits, deny, texts)
    return Compiled(test, (), weight, fits if made.is_plain else None, reading)


def anchored(condition: Condition, *, dynamic: bool) -> Iterator[anchors.Anchor]:
    """The ways in which a condition can be looked up, any of which will do; `dynamic` as above."""
    made = form(condition.operator)
    if made is None or made.row is None or not made.is_plain or (dynamic and any("${" in value for value in condition.values)):
        return iter(())
    return anchors.anchors(condition.key.lower(), condition.values, made.row.lookups)


# What a key has when it has no value, for `Null` and ForAllValues: "a null dataset, such as an empty string", as AWS's page has it
# (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html).
_NOTHING = (None, (), "", ("",))
_PLAIN = weights.Cost(each=50).condition(several=False)  # a test that looks at next to nothing


def _always(outcome: bool) -> Callable[[object], bool]:
    return lambda _: outcome


def _is(key: str, text: str, deny: bool) -> Test:
    """What `_around` makes of one text that a key must be, in fewer steps: the commonest of all conditions."""

    def allow_test(context: Values) -> bool:
        return context.get(key) == text

    def deny_test(context: Values) -> bool:
        value = context.get(key)
        return value == text or (not (value is None or isinstance(value, str)) and text in value)

    return deny_test if deny else allow_test


def _is_resolved(key: str, parts: tuple[variables.Part, ...], deny: bool) -> Test:
    """The same for a text that depends on the request: a tag that must be the principal's own."""

    def test(context: Values) -> bool:
        value, text = context.get(key), variables.join(parts, context)
        if text is None:
            return False
        return value == text or (deny and not (value is None or isinstance(value, str)) and text in value)

    return test


def _null(key: str, listed: Sequence[str], deny: bool) -> Test:
    wanted = {operands.boolean(value) for value in listed}
    if None in wanted and wanted != {None, True, False}:
        absent, present = True in wanted or deny, False in wanted or deny
    else:
        absent, present = True in wanted, False in wanted
    return lambda context: absent if context.get(key) in _NOTHING else present


def _around(key: str, made: Form, fits: Fits, deny: bool, texts: frozenset[str] | None = None) -> Test:
    """Quantifiers, IfExists and negation around one row; chosen once, so that a test is one call and one comparison.

    `texts` are the listed values where a value fits by being one of them.
    """
    missing, negated = made.missing, made.row is not None and made.row.negated
    several = _several(key, made, _together(made, fits, texts), deny)
    if made.quantifier == FOR_ALL:
        return _every(key, fits, several, negated=negated)

    def present(context: Values) -> bool:
        value = context.get(key)
        return isinstance(value, str) and fits(value)

    if made.is_plain and not deny:
        return present

    def positive(context: Values) -> bool:
        value = context.get(key)
        if value is None:
            return missing
        return fits(value) if isinstance(value, str) else several(value)

    def negative(context: Values) -> bool:
        value = context.get(key)
        if value is None:
            return missing
        return not fits(value) if isinstance(value, str) else several(value)

    return negative if negated else positive


def _every(key: str, fits: Fits, several: Callable[[tuple[str, ...]], bool], *, negated: bool) -> Test:
    """ForAllValues around one row."""

    def test(context: Values) -> bool:
        value = context.get(key)
        if value is None or value in _NOTHING:
            return True
        return fits(value) is not negated if isinstance(value, str) else several(value)

    return test


def _several(key: str, made: Form, holds: Callable[[tuple[str, ...]], bool], deny: bool) -> Callable[[tuple[str, ...]], bool]:
    """What tells whether the values of a key that has several satisfy a condition."""
    missing, senseless = made.missing, not made.quantifier and not deny

    def test(values: tuple[str, ...]) -> bool:
        if not values:
            return missing
        if len(values) > keys.MAX_VALUES:
            raise ValueError(f"condition key `{key[:64]}` has {len(values)} values; at most {keys.MAX_VALUES} are allowed")
        return not senseless and holds(values)

    return test


def _together(made: Form, fits: Fits, texts: frozenset[str] | None) -> Callable[[tuple[str, ...]], bool]:
    """What tells whether several values satisfy a row: every one of them under ForAllValues, else some."""
    negated, every = made.row is not None and made.row.negated, made.quantifier == FOR_ALL
    if texts is not None:
        known = texts
        whole = known.isdisjoint if negated is every else known.issuperset
        return whole if every else lambda values: not whole(values)

    def one_by_one(values: tuple[str, ...]) -> bool:
        for value in values:
            if (fits(value) is not negated) is not every:
                return not every
        return every

    return one_by_one


def _resolving(key: str, made: Form, listed: Sequence[tuple[variables.Part, ...]], deny: bool) -> Test:
    """As `_around`, for listed values that depend on the request."""
    row = made.row
    assert row is not None
    doubt = deny is not row.negated

    def test(context: Values) -> bool:
        value = context.get(key)
        if value is None:
            return made.missing
        resolved = [tokens for parts in listed if (tokens := variables.resolve(parts, context)) is not None]
        if row.wildcards:
            longest = len(value) if isinstance(value, str) else max(map(len, value), default=0)
            short = [tokens for tokens in resolved if patterns.least(tokens) <= longest]
            if row.make is comparisons.arn:  # in doubt it counts that there was a pattern, and whether it was one of ARNs
                short += [_out_of_reach(tokens) for tokens in resolved if patterns.least(tokens) > longest]
            resolved = short
        texts = comparisons.texts(resolved) if row.make is comparisons.exact else None
        return _around(key, made, row.make(resolved, doubt), deny, texts)(context)

    return test


def _out_of_reach(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Instead of a pattern that is longer than every value: a short one that no ARN matches, or that is no more one of ARNs than it was."""
    return (":" * min(5, sum(token.count(":") for token in tokens if isinstance(token, str))),)
