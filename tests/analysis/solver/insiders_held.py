"""Holds access from within against small universes: who is told to be kept out is let in by no request, and whoever is let in is somebody.

A world (`insiders`) is asked as the scan asks: of each session that policies name and of one that none does, with what is known and nothing
else; then `outlook`, then the solver. Where that ends in `never` or `no`, no request out of a universe may be allowed: all combinations of
values that the policies write and nearly write, from sessions whose names they write and nearly write. Where it ends in `yes`, the oracle,
which shares no code with the evaluator, has to allow the request that is shown, and whoever makes it has to be able to.
"""

import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from random import Random

from sekisho import policy
from sekisho.analysis import inside, solver
from sekisho.analysis.inside import Outlook
from sekisho.analysis.solver import Witness
from sekisho.policy import keys
from tests.analysis.solver import insiders, odd_requests, probes
from tests.analysis.solver.findings import Found
from tests.analysis.solver.insiders import ROLE_ID, SESSION_ARN, Doc, Value, World
from tests.policy import oracle

SIZE = 240
"""Combinations of values that are asked about for each name of a session."""
ORACLE = 12
"""Requests of a universe about which the oracle is asked, too; it takes a hundred times as long."""
MILLISECONDS = 5_000
TASK = 100

_FIXED = re.compile(
    r"aws:(principal(arn|account|type|orgid|orgpaths|isawsservice)|username|resource(account|orgid|orgpaths)|(principal|resource)tag/.*)"
    r"|aws:userid"
)
"""Keys that are as they are for whoever asks, and the service's own tags of resources; `aws:userid` is as the session is called."""
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_CLOCK = {"aws:currenttime": "2026-06-01T00:00:00Z", "aws:epochtime": "1780272000"}


def difference(seed: int, found: Found | None = None) -> str:
    """What is wrong with the answers to the world of a seed, `""` for nothing."""
    made = insiders.world(seed)
    wrong = _Asked(made, seed, found or Found()).difference()
    return f"inside {seed}: {wrong}\n{made}" if wrong else ""


def run(first: int) -> Found:
    """The worlds of some seeds."""
    found, began = Found(), time.process_time()
    found.wrong = [wrong for seed in range(first, first + TASK) if (wrong := difference(seed, found))]
    found.cpu = time.process_time() - began
    return found


class _Asked:
    """One world, asked."""

    def __init__(self, made: World, seed: int, found: Found) -> None:
        self._made, self._found = made, found
        self._rng = Random(f"held {seed}")
        self._layers = layers(made)
        self._named = {name.removeprefix(SESSION_ARN) for name in _principals(made) if name.startswith(SESSION_ARN)}

    def difference(self) -> str:
        """What is wrong, `""` for nothing."""
        made, is_user = self._made, self._made.principal.kind == "user"
        request = policy.Request(made.principal, made.action, made.resource, made.owner, policy.Context(made.known))
        asked = {one.principal.arn.rpartition("/")[2]: one for one in inside.sessions(request, self._layers)}
        unnamed = next(iter(asked))
        names = [unnamed] if is_user else list(dict.fromkeys([*asked, *self._names()]))
        by: dict[str, list[str]] = {}
        for name in names:
            by.setdefault(name if name in asked else unnamed, []).append(name)
        for who, called in by.items():
            said, verdict = self._answer(asked[who])
            self._found.answers[said] += 1
            if said in ("never", "no"):
                possible = [name for name in called if is_user or _NAME.fullmatch(name)]
                wrong = next(filter(None, map(self._let_in, possible)), "")
            elif verdict is not None and verdict.witness is not None:
                wrong = self._shown(verdict.witness, who, is_named=not is_user and who in self._named)
            else:
                wrong = ""
            if wrong:
                return f"{said} of {who}: {wrong}"
        return ""

    def _answer(self, made: policy.Request) -> tuple[str, solver.Verdict | None]:
        if policy.decide(made, self._layers).allowed:
            return "allowed", None
        if inside.outlook(made, self._layers) is Outlook.NEVER:
            return "never", None
        verdict = solver.inside(inside.case_of(made, self._layers), milliseconds=MILLISECONDS)
        if verdict.reason:
            self._found.reasons[verdict.reason.partition("`")[0]] += 1
        return verdict.answer.value, verdict

    def _shown(self, witness: Witness, who: str, *, is_named: bool) -> str:
        """What is wrong with a request that is shown."""
        if not oracle_allows(self._made, witness.principal, witness.context):
            return f"the oracle does not allow {witness}"
        if wrong := impossible(self._made, witness):
            return f"{wrong}: {witness}"
        name = witness.principal.arn.rpartition("/")[2]
        if is_named and name != who:
            return f"another session than the one that is asked about: {witness}"
        return f"a session that is asked about by itself: {witness}" if not is_named and name in self._named else ""

    def _let_in(self, name: str) -> str:
        """A request of a session of this name that is allowed, `""` for none."""
        made = self._made
        principal, own = made.principal, dict(made.known)
        if principal.kind != "user":
            principal = replace(principal, arn=f"{SESSION_ARN}{name}")
            own["aws:userid"] = f"{ROLE_ID}:{name}"
        for number, context in enumerate(self._contexts(own)):
            request = policy.Request(principal, made.action, made.resource, made.owner, policy.Context(context))
            if policy.decide(request, self._layers).allowed:
                return f"{name} is allowed with {context}"
            if number < ORACLE and oracle_allows(made, principal, context):
                return f"{name} is allowed by the oracle with {context}"
        return ""

    def _names(self) -> list[str]:
        """What sessions may be called: as policies write it, nearly so, and otherwise."""
        written = [value for operator, key, value in _conditions(self._made) if "userid" in key or key == "shop:a"]
        tag = str(self._made.known.get("aws:principaltag/team", "bob"))
        filled = [one.rpartition(":")[2] for value in written for one in odd_requests.filled(value, lambda _: [tag])]
        found = [text for value in filled for text in odd_requests.matched(value, stars=("", "xx", "bo"), ones=("o",))]
        near = [text for name in [*self._named, *found] for text in (name, f"{name}-", name.swapcase())]
        kept = [name for name in dict.fromkeys([*near, self._made.resource.rpartition(":")[2]]) if _NAME.fullmatch(name)]
        self._rng.shuffle(kept)
        return [*kept[:6], "nobody-else"]

    def _contexts(self, own: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        """All combinations of what the policies ask for, as far as a request says it."""
        asked: dict[str, list[tuple[str, str]]] = {}
        for operator, key, value in _conditions(self._made):
            asked.setdefault(key, []).append((operator, value))
        for key, default in probes.VARIABLE.findall(json.dumps(self._made.documents)):
            asked.setdefault(key.strip().lower(), []).extend([("StringLike", default)] if default else [])

        def fill(key: str) -> list[str]:
            value = own.get(key)
            return [value] if isinstance(value, str) else ["x", "bob"] if value is None else list(value)

        names = sorted(name for name in asked if not is_fixed(name, self._made))
        pools = [self._pool(name, asked[name], fill, own) for name in names]
        sizes = probes._grown([len(pool) for pool in pools], SIZE)
        for values in itertools.product(*(pool[:size] for pool, size in zip(pools, sizes, strict=True))):
            said = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            yield {**_CLOCK, **said, **own}

    def _pool(self, name: str, asked: list[tuple[str, str]], fill: odd_requests.Fill, own: Mapping[str, Value]) -> list[Value | None]:
        written = [text for operator, value in asked for text in odd_requests.filled(value, fill) if operator != "Null"]
        likely = [text.replace("*", "x").replace("?", "x").partition("/")[0] for text in written]
        whole = str(own["aws:userid"])
        usual = [whole, whole.rpartition(":")[2], *fill("aws:principaltag/team")]
        odd = odd_requests.values([(operator, value) for operator, value in asked if operator != "Null"], fill)
        self._rng.shuffle(odd)
        single = list(dict.fromkeys([*likely, *written, *usual, *odd]))
        if name in _CLOCK:
            return [_CLOCK[name], *single]
        row = keys.find(name)
        several = row.multivalued if row is not None else any(operator.startswith("For") for operator, _ in asked)
        if not several:
            return [*single[:1], None, *single[1:]]
        lists: list[Value | None] = [None, *((one,) for one in single[:6]), (), *itertools.islice(itertools.permutations(single[:4], 2), 8)]
        return lists if row is not None else [*lists[:2], *single[:4], *lists[2:]]


def is_fixed(key: str, made: World) -> bool:
    """Whether a key is the same in all requests of a world's principal."""
    return _FIXED.fullmatch(key) is not None or key.startswith(f"{made.action.partition(':')[0]}:resourcetag/")


def impossible(made: World, witness: Witness) -> str:
    """Why nobody could make a request that is shown, `""` where somebody could."""
    own, principal = made.principal, witness.principal
    if (witness.action, witness.resource) != (made.action, made.resource):
        return "it is about something else"
    if replace(principal, arn=own.arn) != own:
        return "it is somebody else's"
    for key in sorted({*made.known, *(key for key in witness.context if is_fixed(key, made))}):
        if key != "aws:userid" and witness.context.get(key) != made.known.get(key):
            return f"{key} is not what is known"
    user_id = witness.context.get("aws:userid")
    if own.kind == "user":
        return "" if principal.arn == own.arn and user_id in (None, own.unique_id) else "the user is another"
    start, _, name = principal.arn.rpartition("/")
    if f"{start}/" != SESSION_ARN or _NAME.fullmatch(name) is None:
        return "no session is called so"
    return "" if user_id in (None, f"{own.unique_id}:{name}") else "aws:userid is not its session's"


def oracle_allows(made: World, principal: policy.Principal, context: Mapping[str, Value]) -> bool:
    """The second evaluator's word on a request."""
    asked = {
        "principal": principal.arn,
        "principal_type": principal.kind,
        "action": made.action,
        "resource": made.resource,
        "resource_account": made.owner,
        **{name: value for name in ("role_arn", "unique_id", "canonical") if (value := getattr(principal, name))},
        "context": {name: [value] if isinstance(value, str) else list(value) for name, value in context.items()},
        "multivalued_keys": [name for name, value in context.items() if not isinstance(value, str)],
    }
    case = {
        "request": asked,
        "identity_policies": made.identity,
        "resource_policy": made.of_resource,
        "permission_boundary": made.boundary,
        "session_policies": None,
        "scps": made.scps,
        "rcps": made.rcps,
    }
    return oracle.decide(case).outcome == "Allowed"


def layers(made: World) -> policy.Layers:
    """The policies of a world, compiled."""
    return policy.Layers(
        tuple(map(_attached, made.identity)),
        _attached(made.of_resource) if made.of_resource is not None else None,
        tuple(map(_attached, made.boundary)) if made.boundary is not None else None,
        None,
        tuple(tuple(map(_attached, level)) for level in made.scps) if made.scps is not None else None,
        tuple(tuple(map(_attached, level)) for level in made.rcps) if made.rcps is not None else None,
    )


def _attached(document: Doc) -> policy.Attached:
    return _compiled(json.dumps(document))


@lru_cache(maxsize=64)
def _compiled(text: str) -> policy.Attached:
    return policy.Attached(policy.compiled(text), name="document")


def _principals(made: World) -> list[str]:
    """The AWS principals that the resource's policies name, of those that apply."""
    control = [one for level in made.rcps or [] for one in level] if made.principal.kind != "service-linked-role" else []
    elements = [
        one.get("Principal", one.get("NotPrincipal"))
        for document in (*control, *([made.of_resource] if made.of_resource is not None else []))
        for one in document["Statement"]
    ]
    return [name for element in elements if isinstance(element, dict) for name in element.get("AWS", [])]


def _conditions(made: World) -> Iterator[tuple[str, str, str]]:
    """Operators, keys in lower case, and values."""
    for document in made.documents:
        for one in document["Statement"]:
            for operator, block in one.get("Condition", {}).items():
                for key, values in block.items():
                    for value in values if isinstance(values, list) else [values]:
                        yield operator, key.lower(), value
