"""Small universes out of what a pair of policies writes: every literal, nearly every literal, and all combinations of a few of each.

A request is an action, a resource, a principal and the values of the keys that the policies ask for. For each of these a set of
candidates is made of the policies' own texts: the text, one character changed, cut, doubled, in the other case, with something in the
place of each wildcard and variable. The universe is the whole product of the sets' beginnings, whose sizes grow in turns until it is as
large as it may be.

Requests keep to what the solver promises (docs/access-checks.md); which keys there are, and which have several values, is read in the
documents here, and not taken from the solver.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from sekisho import policy
from sekisho.analysis.solver import PolicyType, Witness
from sekisho.policy import keys
from tests.analysis.solver import callers, odd_requests
from tests.analysis.solver.odd_requests import Value
from tests.analysis.solver.pairs import Doc, Pair

VARIABLE = re.compile(r"\$\{([^},']+?)\s*(?:,\s*'([^']*)'\s*)?\}")
ALWAYS = {"aws:currenttime": "2024-01-01T00:00:00Z", "aws:epochtime": "1704067200", "aws:resourceaccount": "111122223333"}
FOLLOWING = ("aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username")
OF_INSIDERS = re.compile(r"aws:(principalorgid|principalorgpaths|principaltag/.*|userid|sourceidentity)")
OUTSIDERS = ("service", "anonymous", "federated")
OF_IDENTITY = ("user", "assumed-role", "role")


class Universe:
    """All requests of the sets of a pair."""

    def __init__(self, made: Pair, seed: int, size: int) -> None:
        self._rng = Random(f"probes {seed}")
        self._made = made
        documents = [json.loads(text) for text in (made.existing, made.new)]
        self._statements: list[Doc] = [one for document in documents for one in _listed(document["Statement"])]
        self._asked: dict[str, list[tuple[str, str]]] = {}  # by key in lower case: operators and values
        for operator, key, value in self._conditions():
            self._asked.setdefault(key, []).append((operator, value))
        self._defaults: dict[str, list[str]] = {}
        for text in self._texts():
            for key, default in VARIABLE.findall(text):
                if key not in "*?$":
                    self._defaults.setdefault(key.strip().lower(), []).append(default)
        self.names = sorted({*self._asked, *self._defaults} - set(FOLLOWING))
        self._sets = self._pools()
        self.sizes = _grown([len(pool) for pool in self._sets], size)

    def requests(self) -> Iterator[Witness]:
        """Each request once."""
        kept = [pool[:size] for pool, size in zip(self._sets, self.sizes, strict=True)]
        for principal, action, resource, *values in itertools.product(*kept):
            outside = principal.kind in OUTSIDERS
            context = {name: value for name, value in zip(self.names, values, strict=True) if value is not None}
            if outside and any(map(OF_INSIDERS.fullmatch, context)):
                continue
            if principal.kind == "user":
                context["aws:username"] = principal.arn.rpartition("/")[2]
            asks, said = principal, context.get("aws:userid")
            if isinstance(said, str):
                asks, context["aws:userid"] = callers.with_user_id(principal, said)
            yield Witness(asks, action, resource, context)

    def _pools(self) -> list[list[Any]]:
        principals = self._mixed(self._principals())
        actions = odd_requests.actions(self._written("Action", "NotAction"))
        resources = odd_requests.resources(self._written("Resource", "NotResource"), self._filled)
        return [principals, self._mixed(actions), self._mixed(resources), *map(self._values, self.names)]

    def _mixed(self, found: Iterable[Any]) -> list[Any]:
        kept = list(dict.fromkeys(found))
        self._rng.shuffle(kept)
        return kept

    def _conditions(self) -> Iterator[tuple[str, str, str]]:
        for one in self._statements:
            for operator, block in one.get("Condition", {}).items():
                for key, values in block.items():
                    for value in _listed(values) or [""]:
                        yield operator, key.lower(), str(value).lower() if isinstance(value, bool) else str(value)

    def _written(self, *elements: str) -> list[str]:
        return [text for one in self._statements for element in elements if element in one for text in _listed(one[element])]

    def _texts(self) -> Iterator[str]:
        yield from (value for found in self._asked.values() for _, value in found)
        yield from self._written("Resource", "NotResource")

    def _filled(self, key: str) -> list[str]:
        """Values that a variable may have, as texts to stand in its place."""
        found = [*filter(None, self._defaults.get(key, ())), *(value for _, value in self._asked.get(key, ()) if "${" not in value)]
        return [*odd_requests.USUAL.get(key, ("alice", "a:b")), *found][:6]

    def _values(self, name: str) -> list[Value | None]:
        """The candidates of a key, among them that it is missing where it may be."""
        asked = self._asked.get(name, [])
        texts = [*odd_requests.values(asked, self._filled), *self._defaults.get(name, ())]
        if name in self._defaults:  # in the place of a variable: what else is written, cut and whole
            texts += odd_requests.USUAL.get(name, ("alice", "a:b", "*", "", "\u0307", "Alice", "/"))
        row = keys.find(name)
        single = self._mixed(texts) or ["x"]
        if name in ALWAYS:
            return [*single, ALWAYS[name]]
        several = row.multivalued if row is not None else any(operator.startswith("For") for operator, _ in asked)
        if not several:
            return [*single[:3], *([] if name == "aws:userid" else [None]), *single[3:]]
        lists: list[Value] = [(), *((one,) for one in single[:8]), *itertools.islice(itertools.permutations(single[:5], 2), 12)]
        lists += [tuple(self._rng.sample(single, 3)) for _ in range(4 if len(single) > 2 else 0)]
        alone: list[Value] = [] if row is not None else list(single)
        return [None, *self._mixed([*lists, *alone])]

    def _principals(self) -> list[policy.Principal]:
        kinds = OF_IDENTITY if self._made.kind is PolicyType.IDENTITY else None
        written = [
            value
            for one in self._statements
            for element in (one.get("Principal"), one.get("NotPrincipal"))
            if isinstance(element, dict)
            for values in element.values()
            for value in _listed(values)
        ]
        names = [value for key in FOLLOWING for _, value in self._asked.get(key, ())]
        found = odd_requests.principals(written, names, self._filled)
        kept = [one for one in found if kinds is None or one.kind in kinds]
        asked = any(name in self._asked or name in self._defaults for name in FOLLOWING) or bool(written)
        return kept if asked else kept[:1] + [one for one in kept if one.kind in OUTSIDERS][:1]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _grown(most: list[int], size: int) -> list[int]:
    """The sizes of the sets: each in turn one more, as long as the product is not above `size`."""
    sizes = [1] * len(most)
    product, open_ = 1, [i for i, count in enumerate(most) if count > 1]
    while open_:
        for i in list(open_):
            larger = product // sizes[i] * (sizes[i] + 1)
            if larger > size or sizes[i] == most[i]:
                open_.remove(i)
                continue
            sizes[i] += 1
            product = larger
    return sizes
