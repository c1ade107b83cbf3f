"""Conditions: one table of operators, and around it, once, what IfExists, ForAllValues and ForAnyValue make of each.

A row compares one value of the request with the listed ones; a negated row is true where none of the listed ones fits. Around it:

    key missing         positive: false; negated: true; ForAllValues: true; ForAnyValue: false; ...IfExists: true
    single value        the row
    ForAllValues        every value of the request satisfies the row (none: true)
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
from typing import Any

from sekisho.policy import operands, patterns, variables
from sekisho.policy.document import Condition
from sekisho.policy.keys import Values
from sekisho.policy.patterns import Token

Fits = Callable[[str], bool]  # does a value of the request fit any of the listed ones; in doubt, what the maker was told
Test = Callable[[Values], bool]


def _exact(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    texts = frozenset(patterns.text_of(tokens) for tokens in listed)
    return texts.__contains__


def _ignoring_case(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    texts = frozenset(patterns.text_of(tokens).lower() for tokens in listed)
    return lambda value: value.lower() in texts


def _like(listed: Sequence[tuple[Token, ...]], _doubt: bool) -> Fits:
    matchers = [patterns.matcher(tokens) for tokens in listed]
    return matchers[0] if len(matchers) == 1 else lambda value: any(matches(value) for matches in matchers)


def _arn(listed: Sequence[tuple[Token, ...]], doubt: bool) -> Fits:
    made = [operands.arn_matcher(tokens) for tokens in listed]
    matchers = [matches for matches in made if matches is not None]
    otherwise = doubt and None in made

    def fits(value: str) -> bool:
        for matches in matchers:
            found = matches(value)
            if found or found is None:
                return doubt if found is None else True
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
    """One row: how values are compared, whether the outcome is turned round, and what the listed values may hold."""

    make: Callable[[Sequence[tuple[Token, ...]], bool], Fits]
    negated: bool = False
    variables: bool = False
    wildcards: bool = False


def _ordered(prefix: str, read: Callable[[str], Any]) -> dict[str, Operator]:
    return {
        f"{prefix}Equals": Operator(_compared(read, operator.eq)),
        f"{prefix}NotEquals": Operator(_compared(read, operator.eq), negated=True),
        f"{prefix}LessThan": Operator(_compared(read, operator.lt)),
        f"{prefix}LessThanEquals": Operator(_compared(read, operator.le)),
        f"{prefix}GreaterThan": Operator(_compared(read, operator.gt)),
        f"{prefix}GreaterThanEquals": Operator(_compared(read, operator.ge)),
    }


OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_exact, variables=True),
    "StringNotEquals": Operator(_exact, negated=True, variables=True),
    "StringEqualsIgnoreCase": Operator(_ignoring_case, variables=True),
    "StringNotEqualsIgnoreCase": Operator(_ignoring_case, negated=True, variables=True),
    "StringLike": Operator(_like, variables=True, wildcards=True),
    "StringNotLike": Operator(_like, negated=True, variables=True, wildcards=True),
    **_ordered("Numeric", operands.number),
    **_ordered("Date", operands.date),
    "Bool": Operator(_compared(operands.boolean, operator.eq)),
    "BinaryEquals": Operator(_compared(operands.binary, operator.eq)),
    "IpAddress": Operator(_address),
    "NotIpAddress": Operator(_address, negated=True),
    "ArnEquals": Operator(_arn, variables=True, wildcards=True),
    "ArnNotEquals": Operator(_arn, negated=True, variables=True, wildcards=True),
    "ArnLike": Operator(_arn, variables=True, wildcards=True),
    "ArnNotLike": Operator(_arn, negated=True, variables=True, wildcards=True),
}

MAX_VALUES = 1024  # of one key in a request

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


def compiled(condition: Condition, *, deny: bool, dynamic: bool) -> tuple[Test, tuple[variables.Variable, ...]]:
    """The test of one condition and the variables that must have values before it is asked.

    `deny` is the effect of its statement, which decides what doubt comes to; `dynamic`: the document's version has variables.
    """
    made = form(condition.operator)
    if made is None:
        return _always(deny), ()
    key = condition.key.lower()
    if made.row is None:
        return _null(key, condition.values, deny), ()
    row = made.row
    listed = [variables.parse(value, variables=dynamic and row.variables, wildcards=row.wildcards) for value in condition.values]
    referred = tuple(variable for parts in listed for variable in variables.referred(parts))
    doubt = deny is not row.negated  # the row's own outcome is turned round after
    if not listed:
        return _around(key, made, _always(False), deny), ()
    if referred and row.make is _exact and len(listed) == 1 and made.is_plain:
        return _is_resolved(key, listed[0], deny), referred
    if referred:
        return _resolving(key, made, listed, deny), referred
    static = [tuple(part for part in parts if not isinstance(part, variables.Variable)) for parts in listed]
    if row.make is _exact and len(listed) == 1 and made.is_plain:
        return _is(key, patterns.text_of(static[0]), deny), ()
    return _around(key, made, row.make(static, doubt), deny), ()


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
    return lambda context: absent if context.get(key) in (None, ()) else present


def _around(key: str, made: Form, fits: Fits, deny: bool) -> Test:
    """Quantifiers, IfExists and negation around one row; chosen once, so that a test is one call and one comparison."""
    missing, negated = made.missing, made.row is not None and made.row.negated
    quantified = all if made.quantifier == FOR_ALL else any
    senseless = not made.quantifier and not deny

    def several(values: tuple[str, ...]) -> bool:
        if not values:
            return missing
        if len(values) > MAX_VALUES:
            raise ValueError(f"condition key `{key[:64]}` has {len(values)} values; at most {MAX_VALUES} are allowed")
        return not senseless and quantified(fits(value) is not negated for value in values)

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


def _resolving(key: str, made: Form, listed: Sequence[tuple[variables.Part, ...]], deny: bool) -> Test:
    """As `_around`, for listed values that depend on the request."""
    row = made.row
    assert row is not None
    doubt = deny is not row.negated

    def test(context: Values) -> bool:
        resolved = [variables.resolve(parts, context) for parts in listed]
        known = [tokens for tokens in resolved if tokens is not None]
        if len(known) < len(resolved) and not deny:
            return False
        return _around(key, made, row.make(known, doubt), deny)(context)

    return test


def is_exact(condition: Condition) -> bool:
    """Whether listed values are looked up, however many they are."""
    made = form(condition.operator)
    return made is None or made.row is None or made.row.make in (_exact, _ignoring_case)
