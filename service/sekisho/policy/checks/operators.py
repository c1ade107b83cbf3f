"""The type of a condition's operator, and which texts an operator of that type can compare.

What the evaluator cannot read it decides in doubt: an Allow does not match and a Deny does. So the texts are read by its own functions.
"""

from sekisho.policy.document import Condition
from sekisho.policy.operators import form


def type_of(condition: Condition) -> str:
    """`"string"`, `"numeric"`, ...; `""` where there is no such operator."""
    made = form(condition.operator)
    return made.type.name if made is not None else ""


def takes_variables(condition: Condition) -> bool:
    """Whether variables are read in the values of the operator."""
    made = form(condition.operator)
    return made is not None and made.type.variables


def comparable(condition: Condition, text: str) -> bool:
    """Whether the operator can compare anything with the text."""
    made = form(condition.operator)
    return made is not None and made.type.read(text) is not None
