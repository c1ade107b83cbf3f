"""Formulas read with a request in hand: the plain way to say what one means, without a search."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sekisho.analysis.solver import shapes
from sekisho.analysis.solver.formulas import Compare, Every, Fact, Formula, In, Linked, Masked, Not
from sekisho.analysis.solver.languages import Language
from sekisho.policy import operands
from sekisho.policy.variables import Variable

_READERS: Mapping[str, Callable[[str], object]] = {
    "number": operands.number,
    "date": operands.date,
    "bool": operands.boolean,
    "address": operands.address,
    "bytes": operands.binary,
}


@dataclass(frozen=True)
class Asked:
    """A request: who asks (by the ARN of the role, where it is a session), and the condition keys in lower case."""

    kind: str = "user"
    principal: str = ""
    user_id: str = ""
    canonical: str = ""
    action: str = ""
    resource: str = ""
    keys: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def meets(self, formula: Formula) -> bool:
        """The formula is true of the request."""
        if isinstance(formula, Not):
            return not self.meets(formula.inner)
        if isinstance(formula, Every):
            return all(map(self.meets, formula.parts))
        if isinstance(formula, Fact):
            return self._is_fact(formula.name)
        if isinstance(formula, In):
            return formula.language.has(self._text(formula.variable))
        if isinstance(formula, Linked):
            return self._fits(formula)
        if isinstance(formula, Compare):
            value = self._value(formula.variable)
            return isinstance(value, Decimal) and bool(getattr(operator, formula.operator)(value, formula.value))
        if isinstance(formula, Masked):
            address = self._value(formula.variable)
            return isinstance(address, int) and address & formula.mask == formula.first
        return any(map(self.meets, formula.parts))

    def _is_fact(self, name: str) -> bool:
        word, _, rest = name.partition(" ")
        if word == "kind":
            return self.kind == rest
        if word == "absent":
            return rest not in self.keys
        if word == "list":
            return isinstance(self.keys.get(rest), tuple)
        if word == "value":
            key, _, place = rest.partition(" ")
            return int(place) < len(self._values(key))
        if word == "unread":
            return self._value(rest) is None
        if word == "true":
            return self._value(rest) is True
        variable, _, digits = name.rpartition(" ")
        return self._value(variable) == bytes.fromhex(digits)

    def _values(self, key: str) -> tuple[str, ...]:
        value = self.keys.get(key, ())
        return (value,) if isinstance(value, str) else value

    def _text(self, variable: str) -> str:
        own = {"principal": self.principal, "canonical id": self.canonical, "action": self.action, "resource": self.resource}
        if variable in own:
            return own[variable]
        if variable == "key aws:userid 0":
            return self.user_id
        _, key, place = variable.split(" ")
        return (*self._values(key), *[""] * 9)[int(place)]

    def _value(self, variable: str) -> object:
        named, _, reading = variable.rpartition(" ")
        return _READERS[reading](self._text(named))

    def _fits(self, linked: Linked) -> bool:
        values = [self.keys.get(part.key, ()) if isinstance(part, Variable) else part for part in linked.parts]
        if any(isinstance(value, tuple) for value in values):
            return False
        run = shapes.SHAPES[linked.shape]([value for value in values if not isinstance(value, tuple)])
        return run is not None and Language([run]).has(self._text(linked.variable))
