"""Pairs of policies that say nearly the same, from a seed: odd operators, keys and values, a small change or a rewriting apart.

`pairs` draws worlds as people write them; here everything is at an edge of the language. A pair is about one or two keys, or about its
resources, principals or actions, so that a small universe (`probes`) has every request that tells the two documents apart.
"""

import copy
import json
import re
from random import Random
from typing import Any

from sekisho.analysis.solver import PolicyType
from tests.analysis.solver import odd_values, pairs
from tests.analysis.solver.pairs import Doc, Pair
from tests.policy.gen_conditions import ALL_OPERATORS

NEGATED = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
    "NumericEquals": "NumericNotEquals",
    "NumericLessThan": "NumericGreaterThanEquals",
    "NumericGreaterThan": "NumericLessThanEquals",
    "DateEquals": "DateNotEquals",
    "DateLessThan": "DateGreaterThanEquals",
    "DateGreaterThan": "DateLessThanEquals",
    "IpAddress": "NotIpAddress",
}
VARIABLE = re.compile(r"\$\{[^*?$}][^}]*\}")
MANY_DIGITS = 20  # of a number
BOUND = ("TEAM-${aws:PrincipalTag/team}", "team-${aws:PrincipalTag/team}", "${aws:username}-X", "Ab${aws:RequestTag/env}cD")
INVERSE = {**NEGATED, **{other: name for name, other in NEGATED.items()}}
Parts = tuple[str, str, bool]  # quantifier, name, IfExists


def pair(seed: int) -> Pair:
    """The pair of a seed."""
    rng = Random(f"near {seed}")
    while True:
        scene = Scene(rng)
        existing = scene.document()
        new = copy.deepcopy(existing)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            scene.change(new)
        made = Pair(json.dumps(existing), json.dumps(new), scene.kind)
        if rng.random() < 0.5:
            made = Pair(made.new, made.existing, scene.kind)
        if pairs.is_valid(made):
            return made


class Scene:
    """What one pair is about."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.kind = PolicyType.IDENTITY if rng.random() < 0.6 else PolicyType.RESOURCE
        self.trust = self.kind is PolicyType.RESOURCE and rng.random() < 0.25
        self.about = rng.choices(("conditions", "resources", "principals", "actions"), (14, 4, 4, 2))[0]
        if self.about == "principals" and self.kind is PolicyType.IDENTITY:
            self.about = "conditions"
        self.keys = rng.sample(list(odd_values.KEYS), 2)

    def maybe(self, chance: float) -> bool:
        """True with the given chance."""
        return self.rng.random() < chance

    def document(self) -> Doc:
        """A document of one to three statements, the first of them an Allow."""
        statements = [self.statement("Allow")]
        while self.maybe(0.4) and len(statements) < 3:
            statements.append(self.statement("Deny" if self.maybe(0.6) else "Allow"))
        made: Doc = {"Statement": statements if len(statements) > 1 or self.maybe(0.8) else statements[0]}
        return made if self.maybe(0.04) else {"Version": "2008-10-17" if self.maybe(0.06) else "2012-10-17", **made}

    def statement(self, effect: str) -> Doc:
        """One statement, at an edge where the pair is, and about everything elsewhere."""
        made: Doc = {"Effect": effect}
        if self.trust:
            made["Action"] = self.listed(("sts:AssumeRole", "sts:*", "sts:TagSession", "sts:Assume*"))
        elif self.about == "actions" or self.maybe(0.1):
            made["NotAction" if self.maybe(0.25) else "Action"] = self.listed(odd_values.ACTIONS)
        else:
            made["Action"] = "*"
        if not self.trust:
            plain = self.about != "resources" and not self.maybe(0.15)
            made["NotResource" if not plain and self.maybe(0.25) else "Resource"] = "*" if plain else self.listed(odd_values.RESOURCES)
        if self.kind is PolicyType.RESOURCE:
            negated = self.maybe(0.4 if effect == "Deny" else 0.15)
            made["NotPrincipal" if negated else "Principal"] = "*" if self.about != "principals" and self.maybe(0.7) else self.principal()
        if self.about == "conditions" or self.maybe(0.35):
            made["Condition"] = self.block()
        return made

    def listed(self, pool: tuple[Any, ...]) -> Any:
        """One to three of a pool, in either spelling."""
        found = [
            self.twisted(self.rng.choice(pool)) if self.maybe(0.15) else self.rng.choice(pool) for _ in range(self.rng.choice((1, 1, 2, 3)))
        ]
        return found[0] if len(found) == 1 and self.maybe(0.6) else found

    def principal(self) -> Any:
        """A Principal element in any of its forms."""
        made: dict[str, list[str]] = {}
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            kind = self.rng.choices(list(odd_values.PRINCIPALS), (12, 2, 2, 1))[0]
            made.setdefault(kind, []).append(self.rng.choice(odd_values.PRINCIPALS[kind]))
        return made

    def block(self) -> Doc:
        """A Condition element of one or two conditions."""
        made: Doc = {}
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self.add(made)
        return made

    def add(self, block: Doc) -> None:
        """One more condition."""
        key = self.rng.choice(self.keys)
        family = odd_values.KEYS[key]
        operator = self.operator(family, key)
        if operator == "Null":
            values: Any = self.rng.choice(("true", "false", True, False, ["true", "false"], "True"))
        else:
            bound = "IgnoreCase" in operator and self.maybe(0.3)
            values = self.listed(BOUND if bound else odd_values.of_operator(operator, family))
            if self.maybe(0.03):
                values = []
        block.setdefault(operator, {})[key.swapcase() if self.maybe(0.05) else key] = values

    def operator(self, family: str, key: str) -> str:
        """An operator for a key: mostly of its family, with any affixes."""
        if self.maybe(0.08):
            return "Null"
        name = self.rng.choice(odd_values.OPERATORS[family] if self.maybe(0.92) else ALL_OPERATORS)
        quantifier = self.rng.choice(("", "ForAllValues:", "ForAnyValue:")) if self.maybe(0.95 if key in odd_values.MANY else 0.25) else ""
        return f"{quantifier}{name}{'IfExists' if self.maybe(0.25) else ''}"

    def twisted(self, value: Any) -> Any:
        """Nearly the same value."""
        if not isinstance(value, str) or not value:
            return value
        at = self.rng.randrange(len(value))
        return self.rng.choice(
            (
                value[:at] + self.rng.choice("aZ0*?:/-.") + value[at + 1 :],
                value[:at] + value[at + 1 :],
                value[:at] + value[at] + value[at:],
                value.swapcase(),
                value + self.rng.choice("*?:/0"),
                self.rng.choice("*?:/0") + value,
            )
        )

    def change(self, document: Doc) -> None:
        """Change one thing of a document, or say it otherwise."""
        if not isinstance(document["Statement"], list):
            document["Statement"] = [document["Statement"]]
        statements = document["Statement"]
        one = self.rng.choice(statements)
        if "IgnoreCase" in json.dumps(one) and VARIABLE.search(json.dumps(one)) and self.maybe(0.4):
            self.unbind(one, statements, document)
            return
        self.rng.choice(CHANGES[self.about] if self.maybe(0.7) else EVERYWHERE)(self, one, statements, document)

    def _conditions(self, one: Doc) -> list[tuple[str, str]]:
        return [(operator, key) for operator, block in one.get("Condition", {}).items() for key in block]

    def reform(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """Another operator, quantifier or IfExists around the same values."""
        for operator, key in self._conditions(one)[:1]:
            quantifier, name, exists = taken_apart(operator)
            choice = self.rng.random()
            if choice < 0.3:
                exists = not exists
            elif choice < 0.5:
                quantifier = self.rng.choice(("", "ForAllValues:", "ForAnyValue:"))
            elif choice < 0.65:
                name = INVERSE.get(name, name)
            else:
                name = self.rng.choice([*odd_values.OPERATORS[odd_values.KEYS.get(key, "text")], name])
            _move(one["Condition"], operator, key, f"{quantifier}{name}{'IfExists' if exists else ''}")

    def revalue(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """Another value, one more, one fewer, or the same in other words."""
        found = self._conditions(one)
        if not found:
            return
        operator, key = self.rng.choice(found)
        values = one["Condition"][operator][key]
        values = list(values) if isinstance(values, list) else [values]
        pool = odd_values.of_operator(operator, odd_values.KEYS.get(key, "text")) if operator != "Null" else ("true", "false")
        at = self.rng.randrange(len(values)) if values else 0
        choice = self.rng.random()
        if choice < 0.25 or not values:
            values.append(self.rng.choice(pool))
        elif choice < 0.4:
            del values[at]
        elif choice < 0.6:
            values[at] = self.twisted(values[at])
        elif choice < 0.75:
            values[at] = odd_values.otherwise(self.rng, operator, values[at])
        else:
            values[at] = self.rng.choice(pool)
        if values or self.maybe(0.1):
            one["Condition"][operator][key] = values

    def unbind(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """A star in the place of each variable of a condition, asked as StringLike: what bounds a variable's value decides."""
        for operator, key in self._conditions(one):
            values = one["Condition"][operator][key]
            listed = [str(value) for value in (values if isinstance(values, list) else [values])]
            quantifier, name, exists = taken_apart(operator)
            if name.startswith("String") and any(VARIABLE.search(value) for value in listed):
                other = f"{quantifier}String{'Not' if 'Not' in name else ''}Like{'IfExists' if exists else ''}"
                _move(one["Condition"], operator, key, other)
                one["Condition"][other][key] = [VARIABLE.sub("*", value) for value in listed]
                return
        self.revalue(one, _statements, _document)

    def neighbour(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """The number beside one of many digits: another last digit."""
        for operator, key in self._conditions(one):
            values = one["Condition"][operator][key]
            listed = [str(value) for value in (values if isinstance(values, list) else [values])]
            if taken_apart(operator)[1].startswith("Numeric") and any(len(value) > MANY_DIGITS for value in listed):
                one["Condition"][operator][key] = [
                    value[:-1] + str((int(value[-1]) + 1) % 10) if len(value) > MANY_DIGITS and value[-1].isdecimal() else value
                    for value in listed
                ]
                return
        self.revalue(one, _statements, _document)

    def turn(self, one: Doc, statements: list[Doc], _document: Doc) -> None:
        """An Allow under a condition as an Allow beside a Deny under the contrary, or nearly."""
        found = self._conditions(one)
        if not found or one["Effect"] != "Allow":
            return
        operator, key = self.rng.choice(found)
        quantifier, name, exists = taken_apart(operator)
        values = one["Condition"][operator][key]
        if name == "Null":
            other, values = "Null", "false" if str(values).lower() == "true" else "true"
        else:
            swap = {"ForAllValues:": "ForAnyValue:", "ForAnyValue:": "ForAllValues:", "": ""}
            if self.maybe(0.8):
                quantifier = swap[quantifier]
            other = f"{quantifier}{INVERSE.get(name, name)}{'IfExists' if exists is self.maybe(0.3) else ''}"
        denied = {**copy.deepcopy(one), "Effect": "Deny", "Condition": {other: {key: values}}}
        if self.maybe(0.7):
            del one["Condition"][operator][key]
            one["Condition"] = {name: block for name, block in one["Condition"].items() if block}
            if not one["Condition"]:
                del one["Condition"]
        if "NotPrincipal" in denied:
            denied["Principal"] = denied.pop("NotPrincipal")
        statements.append(denied)

    def split(self, one: Doc, statements: list[Doc], _document: Doc) -> None:
        """One statement for each of several values."""
        for operator, key in self._conditions(one):
            values = one["Condition"][operator][key]
            if isinstance(values, list) and len(values) > 1:
                for value in values[1:]:
                    more = copy.deepcopy(one)
                    more["Condition"][operator][key] = value
                    statements.append(more)
                one["Condition"][operator][key] = values[0]
                return

    def condition(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """One condition more, or one fewer."""
        found = self._conditions(one)
        if found and self.maybe(0.5):
            operator, key = self.rng.choice(found)
            del one["Condition"][operator][key]
            one["Condition"] = {name: block for name, block in one["Condition"].items() if block}
        else:
            self.add(one.setdefault("Condition", {}))
        if not one["Condition"]:
            del one["Condition"]

    def element(self, name: str, pool: tuple[str, ...]) -> Any:
        """What changes the values of an element, or turns it into its contrary."""

        def change(_scene: "Scene", one: Doc, _statements: list[Doc], _document: Doc) -> None:
            written = name if name in one else f"Not{name}"
            if written not in one:
                return
            values = one[written] if isinstance(one[written], list) else [one[written]]
            at, choice = self.rng.randrange(len(values)), self.rng.random()
            if choice < 0.2:
                one[written.removeprefix("Not") if written.startswith("Not") else f"Not{name}"] = one.pop(written)
            elif choice < 0.5:
                one[written] = [*values[:at], self.twisted(values[at]), *values[at + 1 :]]
            elif choice < 0.75:
                one[written] = [*values, self.rng.choice(pool)]
            else:
                one[written] = [*values[:at], self.rng.choice(pool), *values[at + 1 :]]

        return change

    def actions(self, one: Doc, statements: list[Doc], document: Doc) -> None:
        """Other actions."""
        self.element("Action", odd_values.ACTIONS)(self, one, statements, document)

    def resources(self, one: Doc, statements: list[Doc], document: Doc) -> None:
        """Other resources."""
        self.element("Resource", odd_values.RESOURCES)(self, one, statements, document)

    def principals(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """Other principals, or the contrary of them."""
        written = "Principal" if "Principal" in one else "NotPrincipal"
        if written not in one:
            return
        if self.maybe(0.2):
            one["NotPrincipal" if written == "Principal" else "Principal"] = one.pop(written)
        elif self.maybe(0.5) or not isinstance(one[written], dict):
            one[written] = self.principal()
        else:
            more = self.principal()
            one[written] = {kind: [*one[written].get(kind, []), *more.get(kind, [])] for kind in {**one[written], **more}}

    def effect(self, one: Doc, _statements: list[Doc], _document: Doc) -> None:
        """The other effect."""
        one["Effect"] = "Deny" if one["Effect"] == "Allow" else "Allow"

    def more(self, _one: Doc, statements: list[Doc], _document: Doc) -> None:
        """One statement more."""
        statements.append(self.statement("Deny" if self.maybe(0.5) else "Allow"))

    def fewer(self, one: Doc, statements: list[Doc], _document: Doc) -> None:
        """One statement fewer."""
        if len(statements) > 1:
            statements.remove(one)

    def version(self, _one: Doc, _statements: list[Doc], document: Doc) -> None:
        """The other version of the language."""
        document["Version"] = "2012-10-17" if document.get("Version") != "2012-10-17" else "2008-10-17"


CHANGES = {
    "conditions": (
        *(Scene.reform, Scene.reform, Scene.revalue, Scene.revalue, Scene.turn, Scene.split, Scene.condition),
        *(Scene.unbind, Scene.unbind, Scene.neighbour, Scene.neighbour),
    ),
    "resources": (Scene.resources, Scene.resources, Scene.effect),
    "principals": (Scene.principals, Scene.principals, Scene.effect),
    "actions": (Scene.actions,),
}
EVERYWHERE = (
    *CHANGES["conditions"],
    Scene.resources,
    Scene.principals,
    Scene.actions,
    Scene.effect,
    Scene.more,
    Scene.fewer,
    Scene.version,
)


def taken_apart(operator: str) -> Parts:
    """Quantifier with its colon, name, and whether it is an IfExists."""
    quantifier, colon, name = operator.rpartition(":")
    return quantifier + colon, name.removesuffix("IfExists"), name.endswith("IfExists")


def _move(block: Doc, operator: str, key: str, other: str) -> None:
    values = block[operator].pop(key)
    if not block[operator]:
        del block[operator]
    block.setdefault(other, {})[key] = values
