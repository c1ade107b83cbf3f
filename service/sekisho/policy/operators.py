"""The table of condition operators: a row says everything about one. And the affixes that an operator may be written with.

    ForAnyValue:StringLikeIfExists      quantifier, name of the row, IfExists

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt

from sekisho.policy import anchors, operands, patterns, weights
from sekisho.policy.comparisons import Maker, address, arn, compared, exact, ignoring_case, like


@dataclass(frozen=True, slots=True)
class Type:
    """What operators compare; `read` gives None for a listed value that nothing can be compared with."""

    name: str  # as findings and weights call it
    read: Callable[[str], object]
    variables: bool = False  # whether they are read in listed values


STRING = Type("string", str, variables=True)
NUMERIC = Type("numeric", operands.number)
DATE = Type("date", operands.date)
BOOL = Type("bool", operands.boolean)
BINARY = Type("binary", operands.binary)
IP = Type("ip", operands.network)
ARN = Type("arn", lambda text: operands.arn_matcher(patterns.tokens(text)), variables=True)
PRESENCE = Type("null", operands.boolean)


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: what is compared and how, what that weighs, how it is said, and how a condition with it can be looked up."""

    type: Type
    make: Maker
    weigh: Callable[[weights.Listed], weights.Cost]
    met: str  # between a key and its values: how a condition is met
    unmet: str  # ... and how it is not
    negated: bool = False  # the outcome is turned round
    wildcards: bool = False  # whether listed values may have them
    lookups: tuple[anchors.Maker, ...] = ()


_NUMBER_IS = {compare: compared(operands.number, compare) for compare in (eq, lt, le, gt, ge)}
_DATE_IS = {compare: compared(operands.date, compare) for compare in (eq, lt, le, gt, ge)}
_BOOLEAN_IS = compared(operands.boolean, eq)
_BYTES_ARE = compared(operands.binary, eq)

OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(STRING, exact, weights.looked_up, "=", "other than", lookups=(anchors.text,)),
    "StringNotEquals": Operator(STRING, exact, weights.looked_up, "other than", "=", negated=True),
    "StringEqualsIgnoreCase": Operator(STRING, ignoring_case, weights.looked_up_lowered, "in any case =", "other than"),
    "StringNotEqualsIgnoreCase": Operator(STRING, ignoring_case, weights.looked_up_lowered, "other than", "in any case =", negated=True),
    "StringLike": Operator(STRING, like, weights.like, "like", "unlike", wildcards=True, lookups=(anchors.start, anchors.end)),
    "StringNotLike": Operator(STRING, like, weights.like, "unlike", "like", negated=True, wildcards=True),
    "NumericEquals": Operator(NUMERIC, _NUMBER_IS[eq], weights.compared, "=", "other than"),
    "NumericNotEquals": Operator(NUMERIC, _NUMBER_IS[eq], weights.compared, "other than", "=", negated=True),
    "NumericLessThan": Operator(NUMERIC, _NUMBER_IS[lt], weights.compared, "<", ">="),
    "NumericLessThanEquals": Operator(NUMERIC, _NUMBER_IS[le], weights.compared, "<=", ">"),
    "NumericGreaterThan": Operator(NUMERIC, _NUMBER_IS[gt], weights.compared, ">", "<="),
    "NumericGreaterThanEquals": Operator(NUMERIC, _NUMBER_IS[ge], weights.compared, ">=", "<"),
    "DateEquals": Operator(DATE, _DATE_IS[eq], weights.compared, "at", "not at"),
    "DateNotEquals": Operator(DATE, _DATE_IS[eq], weights.compared, "not at", "at", negated=True),
    "DateLessThan": Operator(DATE, _DATE_IS[lt], weights.compared, "before", "not before"),
    "DateLessThanEquals": Operator(DATE, _DATE_IS[le], weights.compared, "not after", "after"),
    "DateGreaterThan": Operator(DATE, _DATE_IS[gt], weights.compared, "after", "not after"),
    "DateGreaterThanEquals": Operator(DATE, _DATE_IS[ge], weights.compared, "not before", "before"),
    "Bool": Operator(BOOL, _BOOLEAN_IS, weights.compared, "=", "other than"),
    "BinaryEquals": Operator(BINARY, _BYTES_ARE, weights.decoded, "=", "other than"),
    "IpAddress": Operator(IP, address, weights.in_networks, "in", "outside", lookups=(anchors.address,)),
    "NotIpAddress": Operator(IP, address, weights.in_networks, "outside", "in", negated=True),
    "ArnEquals": Operator(ARN, arn, weights.like_arns, "like", "unlike", wildcards=True),
    "ArnNotEquals": Operator(ARN, arn, weights.like_arns, "unlike", "like", negated=True, wildcards=True),
    "ArnLike": Operator(ARN, arn, weights.like_arns, "like", "unlike", wildcards=True),
    "ArnNotLike": Operator(ARN, arn, weights.like_arns, "unlike", "like", negated=True, wildcards=True),
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
    def type(self) -> Type:
        """What it compares."""
        return self.row.type if self.row is not None else PRESENCE

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
