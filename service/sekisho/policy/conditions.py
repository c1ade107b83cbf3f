"""Conditions: one table of operators, and around it, once, what IfExists, ForAllValues and ForAnyValue make of each.

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

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sekisho.policy import keys, operands, patterns, variables, weights
from sekisho.policy.budget import NOTHING, Weight
from sekisho.policy.document import Condition
from sekisho.policy.keys import Values
from sekisho.policy.patterns import Token

Fits = Callable[[str], bool]  # does a value of the request fit any of the listed ones; in doubt, what the maker was told
Test = Callable[[Values], bool]


def _texts(listed: Sequence[tuple[Token, ...]]) -> frozenset[str]:
    return frozenset(patterns.text_of(tokens) for tokens in listed)


def _exact(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    return _texts(listed).__contains__


def _ignoring_case(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    texts = frozenset(patterns.text_of(tokens).lower() for tokens in listed)
    return lambda value: value.lower() in texts


def _like(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    matchers = [patterns.matcher(tokens) for tokens in listed]
    if len(matchers) == 1:
        return matchers[0]

    def fits(value: str) -> bool:
        for matches in matchers:
            if matches(value):
                return True
        return False

    return fits


def _arn(listed: Sequence[tuple[Token, ...]], doubt: bool) -> Fits:
    made = [operands.arn_matcher(tokens) for tokens in listed]
    matchers = [matches for matches in made if matches is not None]
    unread = doubt and bool(made)
    otherwise = doubt and None in made

    def fits(value: str) -> bool:
        segments = operands.arn_segments(value)
        if segments is None:
            return unread
        for matches in matchers:
            if matches(segments):
                return True
        return otherwise

    return fits


def _compared(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[Sequence[tuple[Token, ...]], bool], Fits]:
    def make(listed: Sequence[tuple[Token, ...]], doubt: bool) -> Fits:
        made = [read(patterns.text_of(tokens)) for tokens in listed]
        wanted = [item for item in made if item is not None]
        otherwise = doubt and None in made

        def fits(value: str) -> bool:
            actual = read(value)
            if actual is None:
                return doubt
            for item in wanted:
                if compare(actual, item):
                    return True
            return otherwise

        return fits

    return make


def _address(listed: Sequence[tuple[Token, ...]], doubt: bool) -> Fits:
    made = [operands.network(patterns.text_of(tokens)) for tokens in listed]
    networks = [item for item in made if item is not None]
    otherwise = doubt and None in made
    read = operands.address
    if len(networks) == 1 and not otherwise:
        ((only, only_mask),) = networks

        def fits_one(value: str) -> bool:
            actual = read(value)
            return doubt if actual is None else actual & only_mask == only

        return fits_one

    def fits(value: str) -> bool:
        actual = read(value)
        if actual is None:
            return doubt
        for first, mask in networks:
            if actual & mask == first:
                return True
        return otherwise

    return fits


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: how values are compared, what that weighs, whether the outcome is turned round, and what the listed values may hold."""

    make: Callable[[Sequence[tuple[Token, ...]], bool], Fits]
    weigh: Callable[[weights.Listed], weights.Cost]
    reading: str = ""  # of weights.READINGS: how values are understood, where that is dear
    negated: bool = False
    variables: bool = False
    wildcards: bool = False


def _ordered(prefix: str, read: Callable[[str], Any], reading: str) -> dict[str, Operator]:
    def row(compare: Callable[[Any, Any], bool], *, negated: bool = False) -> Operator:
        return Operator(_compared(read, compare), weights.compared, reading, negated)

    return {
        f"{prefix}Equals": row(operator.eq),
        f"{prefix}NotEquals": row(operator.eq, negated=True),
        f"{prefix}LessThan": row(operator.lt),
        f"{prefix}LessThanEquals": row(operator.le),
        f"{prefix}GreaterThan": row(operator.gt),
        f"{prefix}GreaterThanEquals": row(operator.ge),
    }


OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_exact, weights.looked_up, variables=True),
    "StringNotEquals": Operator(_exact, weights.looked_up, negated=True, variables=True),
    "StringEqualsIgnoreCase": Operator(_ignoring_case, weights.looked_up_in_any_case, variables=True),
    "StringNotEqualsIgnoreCase": Operator(_ignoring_case, weights.looked_up_in_any_case, negated=True, variables=True),
    "StringLike": Operator(_like, weights.like, variables=True, wildcards=True),
    "StringNotLike": Operator(_like, weights.like, negated=True, variables=True, wildcards=True),
    **_ordered("Numeric", operands.number, "number"),
    **_ordered("Date", operands.date, "date"),
    "Bool": Operator(_compared(operands.boolean, operator.eq), weights.compared),
    "BinaryEquals": Operator(_compared(operands.binary, operator.eq), weights.decoded),
    "IpAddress": Operator(_address, weights.in_networks, "address"),
    "NotIpAddress": Operator(_address, weights.in_networks, "address", negated=True),
    "ArnEquals": Operator(_arn, weights.like_arns, variables=True, wildcards=True),
    "ArnNotEquals": Operator(_arn, weights.like_arns, negated=True, variables=True, wildcards=True),
    "ArnLike": Operator(_arn, weights.like_arns, variables=True, wildcards=True),
    "ArnNotLike": Operator(_arn, weights.like_arns, negated=True, variables=True, wildcards=True),
}

NULL = "Null"  # asks for the presence of a key, not for its value: stands beside the table, and takes no affixes
FOR_ALL, FOR_ANY, IF_EXISTS = "ForAllValues", "ForAnyValue", "IfExists"


@dataclass(frozen=True, slots=True)
class Form:
    """An operator as written, taken apart: `ForAnyValue:StringLikeIfExists`; `row` is None for Null."""

    name: str
    row: Operator | None
    quantifier: str
    if_exists: bool

    @property
    def is_plain(self) -> bool:
        """Whether the key must be there and fit: no affixes, not negated."""
        return self.row is not None and not (self.row.negated or self.quantifier or self.if_exists)

    @property
    def missing(self) -> bool:
        """The outcome when the request lacks the key."""
        if self.if_exists or self.quantifier == FOR_ALL:
            return True
        return self.row is not None and self.row.negated and not self.quantifier


@lru_cache(maxsize=1024)
def form(written: str) -> Form | None:
    """Take an operator apart; None when there is no such operator. Names are case-sensitive."""
    if written == NULL:
        return Form(NULL, None, "", if_exists=False)
    quantifier, colon, name = written.rpartition(":")
    base = name.removesuffix(IF_EXISTS)
    row = OPERATORS.get(base)
    if row is None or quantifier not in ("", FOR_ALL, FOR_ANY) or (colon and not quantifier):
        return None
    return Form(base, row, quantifier, if_exists=base != name)


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
    listed = [variables.parse(value, variables=dynamic and row.variables, wildcards=row.wildcards) for value in condition.values]
    referred = tuple(variable for parts in listed for variable in variables.referred(parts))
    doubt = deny is not row.negated  # the row's own outcome is turned round after
    if not listed:
        weight = weights.looked_up(()).condition(several=True)
        return Compiled(_around(key, made, _always(False), deny, frozenset()), (), weight)
    several = deny or made.quantifier != ""  # elsewhere a key with several values is never looked into
    weight = row.weigh(listed).condition(several=several)
    reading = (key, row.reading, several) if row.reading else None
    alone = row.make is _exact and len(listed) == 1 and made.is_plain
    if referred:
        return Compiled(_is_resolved(key, listed[0], deny) if alone else _resolving(key, made, listed, deny), referred, weight)
    static = [tuple(part for part in parts if not isinstance(part, variables.Variable)) for parts in listed]
    texts = _texts(static) if row.make is _exact else None
    fits = texts.__contains__ if texts is not None else row.make(static, doubt)
    test = _is(key, patterns.text_of(static[0]), deny) if alone else _around(key, made, fits, deny, texts)
    return Compiled(test, (), weight, fits if made.is_plain else None, reading)


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
            if row.make is _arn:  # in doubt it counts that there was a pattern, and whether it was one of ARNs
                short += [_out_of_reach(tokens) for tokens in resolved if patterns.least(tokens) > longest]
            resolved = short
        return _around(key, made, row.make(resolved, doubt), deny, _texts(resolved) if row.make is _exact else None)(context)

    return test


def _out_of_reach(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Instead of a pattern that is longer than every value: a short one that no ARN matches, or that is no more one of ARNs than it was."""
    return (":" * min(5, sum(token.count(":") for token in tokens if isinstance(token, str))),)
