"""The type of a condition operator, and which texts an operator of that type can compare.

What the evaluator cannot read it decides in doubt: an Allow does not match and a Deny does. So the texts are read by its own functions.
"""

from collections.abc import Callable

from sekisho.policy import conditions, operands, patterns
from sekisho.policy.document import Condition

_TYPES = (
    ("String", "string"),
    ("Numeric", "numeric"),
    ("Date", "date"),
    ("Bool", "bool"),
    ("Binary", "binary"),
    ("IpAddress", "ip"),
    ("NotIpAddress", "ip"),
    ("Arn", "arn"),
    (conditions.NULL, "null"),
)
TYPE_OF = {name: kind for name in (*conditions.OPERATORS, conditions.NULL) for prefix, kind in _TYPES if name.startswith(prefix)}

_READ: dict[str, Callable[[str], object]] = {
    "string": lambda text: text,
    "numeric": operands.number,
    "date": operands.date,
    "bool": operands.boolean,
    "null": operands.boolean,
    "binary": operands.binary,
    "ip": operands.network,
    "arn": lambda text: operands.arn_matcher(patterns.tokens(text)),
}


def type_of(condition: Condition) -> str:
    """`"string"`, `"numeric"`, ...; `""` where there is no such operator."""
    form = conditions.form(condition.operator)
    return TYPE_OF[form.name] if form is not None else ""


def takes_variables(condition: Condition) -> bool:
    """Whether variables are read in the values of the operator."""
    form = conditions.form(condition.operator)
    return form is not None and form.row is not None and form.row.variables


def comparable(kind: str, text: str) -> bool:
    """Whether an operator of the type can compare anything with the text."""
    return _READ[kind](text) is not None
