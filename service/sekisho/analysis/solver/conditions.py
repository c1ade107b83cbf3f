"""Conditions as formulas: what `policy.conditions` makes a test of, and with the same doubts."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from sekisho.analysis.solver import shapes, subjects
from sekisho.analysis.solver.contexts import Context, Key
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.formulas import FALSE, Compare, Fact, Formula, Linked, Masked, constant, every, no, some, within
from sekisho.analysis.solver.languages import Language
from sekisho.policy import operands, operators, variables
from sekisho.policy.document import Condition
from sekisho.policy.operators import FOR_ALL, FOR_ANY, Form, form
from sekisho.policy.patterns import Token
from sekisho.policy.variables import Part, Variable

Fits = Callable[[int], Formula]  # the value in this place fits one of the listed ones

_SHAPES = {
    "StringEquals": "exact",
    "StringNotEquals": "exact",
    "StringEqualsIgnoreCase": "any case",
    "StringNotEqualsIgnoreCase": "any case",
    "StringLike": "like",
    "StringNotLike": "like",
    **dict.fromkeys(("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"), "arn"),
}
_COMPARISONS = {"LessThan": "lt", "LessThanEquals": "le", "GreaterThan": "gt", "GreaterThanEquals": "ge", "Equals": "eq", "NotEquals": "eq"}
_SCALE = 30  # digits before and after the point of a number that is translated


def of(condition: Condition, context: Context, *, deny: bool, dynamic: bool) -> Formula:
    """The condition holds; `deny` and `dynamic` as `policy.conditions.compiled` has them. TooHard for what cannot be said exactly."""
    made = form(condition.operator)
    if made is None:
        return constant(deny)
    key = context.key(condition.key.lower())
    if made.row is None:
        return _null(key, condition.values)
    row = made.row
    if not condition.values:
        return _around(key, made, lambda _place: FALSE, deny)
    shape, doubt = _SHAPES.get(made.name), deny is not row.negated
    if shape is None:
        return _around(key, made, _fits(made, condition.values, key, context, doubt=doubt), deny)
    listed = [variables.parse(value, variables=dynamic, wildcards=row.wildcards) for value in condition.values]
    return _around(key, made, _text(shape, listed, key, context, doubt=doubt), deny)


def _null(key: Key, listed: Sequence[str]) -> Formula:
    wanted = {operands.boolean(value) for value in listed}  # true or false: no other document is valid
    nothing = key.is_nothing()
    return some((every((nothing, constant(True in wanted))), every((no(nothing), constant(False in wanted)))))


def _around(key: Key, made: Form, fits: Fits, deny: bool) -> Formula:
    """Quantifiers, IfExists and negation around what a value is asked."""
    assert made.row is not None
    negated = made.row.negated

    def satisfied(place: int) -> Formula:
        return no(fits(place)) if negated else fits(place)

    missing = constant(made.missing)
    if made.quantifier == FOR_ALL:
        return some((key.is_nothing(), every((no(key.absent), *(some((no(key.has(i)), satisfied(i))) for i in range(key.places))))))
    found = [every((key.is_single, satisfied(0))), every((key.is_list, no(key.has(0)), missing))]
    if deny or made.quantifier == FOR_ANY:
        found += [every((key.is_list, key.has(place), satisfied(place))) for place in range(key.places)]
    return some((every((key.absent, missing)), *found))


def _fits(made: Form, texts: Sequence[str], key: Key, context: Context, *, doubt: bool) -> Fits:
    """Values that are not read as text."""
    if made.type in (operators.NUMERIC, operators.DATE):
        return _number(made, texts, key, context, doubt=doubt)
    if made.type is operators.BOOL:
        return _boolean(texts, key, context, doubt=doubt)
    if made.type is operators.IP:
        return _address(texts, key, context, doubt=doubt)
    return _bytes(texts, key, context, doubt=doubt)


def _text(shape: str, listed: Sequence[tuple[Part, ...]], key: Key, context: Context, *, doubt: bool) -> Fits:
    make = shapes.SHAPES[shape]
    plain: list[tuple[Token, ...]] = []
    dynamic: list[tuple[Part, ...]] = []
    for parts in listed:
        static = tuple(part for part in parts if not isinstance(part, Variable))
        if len(static) == len(parts):
            plain.append(static)
        else:
            dynamic.append(parts)
    made = [make(tokens) for tokens in plain]
    language = shapes.united(made)
    unread = shape == "arn" and doubt
    if dynamic and key.follows and key.name != "aws:principalarn":
        return _turned(shape, language, dynamic, key, context)

    if dynamic and unread:
        raise TooHard("ARNs that are compared with variables, where doubt decides, are not translated")

    def fits(place: int) -> Formula:
        variable = subjects.PRINCIPAL if key.follows else context.read(key, place, "text")
        found = some([key.text(place, language), *(linked(variable, shape, parts, context) for parts in dynamic)])
        if not unread:
            return found
        # In doubt a value that is no ARN fits, and where one of the patterns is none, every ARN does.
        return some((no(key.text(place, shapes.READABLE_ARN)), constant(None in made), found))

    return fits


def _turned(shape: str, language: Language, listed: Sequence[tuple[Part, ...]], key: Key, context: Context) -> Fits:
    """A key of the principal that is to be another key's value: what is asked of it is asked of the other."""
    found: list[Formula] = []
    for parts in listed:
        named = [Variable(variable.key) for variable in variables.referred(parts)]
        if shape != "exact" or parts != tuple(named[:1]):  # one variable alone, without a default
            raise TooHard(f"`{key.name}` is compared with a variable in a way that is not translated")
        other = context.key(named[0].key)
        if other.follows:
            raise TooHard(f"`{key.name}` is compared with `{other.name}`, which the principal determines, too")
        found.append(every((other.is_single, Linked(context.read(other, 0, "text"), "exact", (Variable(key.name),)))))
    return lambda place: some([key.text(place, language), *found])


def has_values(parts: Iterable[Part], context: Context) -> Formula:
    """All variables of a pattern have values."""
    found = []
    for variable in variables.referred(parts):
        key = context.key(variable.key)
        found.append(some((key.is_single, key.absent)) if variable.default is not None else key.is_single)
    return every(found)


def linked(variable: str, shape: str, parts: tuple[Part, ...], context: Context) -> Formula:
    """A text fits a pattern with variables: with their values, or with the defaults of those that the request lacks."""
    for one in variables.referred(parts):
        if one.default is None:
            continue
        key = context.key(one.key)
        without = tuple(one.default if part == one else part for part in parts)
        valued = tuple(Variable(one.key) if part == one else part for part in parts)
        return some(
            (
                every((key.absent, linked(variable, shape, without, context))),
                every((key.is_single, linked(variable, shape, valued, context))),
            )
        )
    static = tuple(part for part in parts if not isinstance(part, Variable))
    if len(static) == len(parts):
        run = shapes.SHAPES[shape](static)
        return within(variable, shapes.united([run]))
    for one in variables.referred(parts):
        context.read(context.key(one.key), 0, "text")
    return every((has_values(parts, context), Linked(variable, shape, parts)))


def _number(made: Form, texts: Sequence[str], key: Key, context: Context, *, doubt: bool) -> Fits:
    reading = "number" if made.type is operators.NUMERIC else "date"
    read = operands.number if reading == "number" else operands.date
    found = [read(text) for text in texts]
    operator = _COMPARISONS[made.name.removeprefix("Numeric").removeprefix("Date")]
    wanted = [_bounded(value) for value in found if value is not None]

    def fits(place: int) -> Formula:
        variable = context.read(key, place, reading)
        compared = some([*(Compare(f"{variable} {reading}", operator, value) for value in wanted), constant(doubt and None in found)])
        return _doubtful(f"{variable} {reading}", compared, doubt=doubt)

    return fits


def _bounded(value: Decimal) -> Decimal:
    if not value:
        return Decimal(0)  # with whatever exponent
    if int(value.as_tuple().exponent) < -_SCALE or value.adjusted() >= _SCALE:
        raise TooHard(f"the number {str(value)[:40]} is too large, or too fine, to be translated")
    return value


def _doubtful(variable: str, read: Formula, *, doubt: bool) -> Formula:
    """What a reading says, where the value can be read so."""
    unread = Fact(f"unread {variable}")
    return some((every((unread, constant(doubt))), every((no(unread), read))))


def _boolean(texts: Sequence[str], key: Key, context: Context, *, doubt: bool) -> Fits:
    found = [operands.boolean(text) for text in texts]

    def fits(place: int) -> Formula:
        variable = f"{context.read(key, place, 'bool')} bool"
        true = Fact(f"true {variable}")
        matched = some([*(true if value else no(true) for value in found if value is not None), constant(doubt and None in found)])
        return _doubtful(variable, matched, doubt=doubt)

    return fits


def _bytes(texts: Sequence[str], key: Key, context: Context, *, doubt: bool) -> Fits:
    found = [operands.binary(text) for text in texts]

    def fits(place: int) -> Formula:
        variable = f"{context.read(key, place, 'bytes')} bytes"
        same = (context.is_bytes(variable, value) for value in found if value is not None)
        return _doubtful(variable, some([*same, constant(doubt and None in found)]), doubt=doubt)

    return fits


def _address(texts: Sequence[str], key: Key, context: Context, *, doubt: bool) -> Fits:
    found = [operands.network(text) for text in texts]

    def fits(place: int) -> Formula:
        variable = f"{context.read(key, place, 'address')} address"
        ranges = some([*(Masked(variable, *network) for network in found if network is not None), constant(doubt and None in found)])
        return _doubtful(variable, ranges, doubt=doubt)

    return fits
