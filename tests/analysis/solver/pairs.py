"""Pairs of policies from a seed, and small universes of requests drawn from what the pair says: hits, near misses, and what no pair names.

A universe keeps to what the solver promises about requests (docs/access-checks.md): the principal's keys follow from the principal, the
clock's and the owner's are always there, and a key that nobody asks as a list has one value.
"""

import copy
import json
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from sekisho import policy
from sekisho.analysis.solver import PolicyType, Witness, contexts, questions, subjects, witnesses
from sekisho.errors import MalformedPolicyDocument
from tests.analysis.solver import callers
from tests.policy import gen_callers, gen_conditions, generator, oracle

Doc = dict[str, Any]
KINDS = {key.name.lower(): key for key in gen_conditions.KEYS}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two valid policies of one kind, and what they are about."""

    existing: str
    new: str
    kind: PolicyType
    scene: generator.Scene | None = None


def pair(seed: int) -> Pair:
    """The pair of a seed."""
    rng = Random(seed)
    while True:
        scene = generator.scene(rng)
        kind = PolicyType.IDENTITY if rng.random() < 0.55 else PolicyType.RESOURCE
        existing = _document(scene, kind)
        if existing is None:
            continue
        new = _document(scene, kind) if rng.random() < 0.3 else _changed(existing, scene, kind)
        made = Pair(json.dumps(existing), json.dumps(new), kind, scene)
        if new is not None and is_valid(made):
            return made if rng.random() < 0.8 else Pair(made.new, made.existing, kind, scene)


def _document(scene: generator.Scene, kind: PolicyType) -> Doc | None:
    """A document that is valid but for what its statements are left without; None where the scene has none such."""
    trust = scene.maybe(0.5) and any(action.startswith("sts:") for action in scene.actions)
    for _ in range(10):
        made = scene.identity() if kind is PolicyType.IDENTITY else scene.resource(trust=trust)
        statements = made["Statement"] if isinstance(made["Statement"], list) else [made["Statement"]]
        kept = [one for one in statements if _is_read({**made, "Statement": [one]}, kind)]
        if any(one["Effect"] == "Allow" for one in kept):
            return {**made, "Statement": kept}
    return None


def _changed(document: Doc, scene: generator.Scene, kind: PolicyType) -> Doc:
    """Nearly the same document."""
    rng = scene.rng
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        statements = changed["Statement"]
        one = rng.choice(statements)
        choice = rng.random()
        if choice < 0.15:
            one.pop("Condition", None)
        elif choice < 0.4 and one.get("Condition"):
            _turn(one["Condition"], scene)
        elif choice < 0.55:
            one["NotAction" if "NotAction" in one else "Action"] = scene.patterns(scene.action_pattern)
        elif choice < 0.7 and ("Resource" in one or "NotResource" in one):
            one["NotResource" if "NotResource" in one else "Resource"] = scene.patterns(scene.resource_pattern)
        elif choice < 0.8 and len(statements) > 1:
            statements.remove(one)
        elif choice < 0.88:
            one["Effect"] = "Deny" if one["Effect"] == "Allow" else "Allow"
        elif choice < 0.94 and "Principal" in one:
            one["Principal"] = gen_callers.element(rng, scene.callers)
        else:
            more = _document(scene, kind) or {"Statement": []}
            statements += [found for found in more["Statement"] if ("Resource" in found) is ("Resource" in one)]
    return changed


def _turn(block: dict[str, dict[str, Any]], scene: generator.Scene) -> None:
    """Change an operator or the values of a condition."""
    rng = scene.rng
    operator = rng.choice(list(block))
    key = rng.choice(list(block[operator]))
    known = KINDS[key.lower()]
    wanted = block[operator][key]
    if rng.random() < 0.5:
        pool = gen_conditions.WANTED[known.kind] if operator != "Null" else (True, False)
        block[operator][key] = rng.choice(pool) if not isinstance(wanted, list) else [*wanted[rng.randrange(2) :], rng.choice(pool)]
    else:
        values = block[operator].pop(key)
        if not block[operator]:
            del block[operator]
        block.setdefault(gen_conditions.operator(rng, known), {})[key] = values


def _is_read(document: Doc, kind: PolicyType) -> bool:
    try:
        questions.read(json.dumps(document), kind)
    except MalformedPolicyDocument:
        return False
    return True


def is_valid(made: Pair) -> bool:
    return _is_read(json.loads(made.existing), made.kind) and _is_read(json.loads(made.new), made.kind)


class Universe:
    """Requests about a pair, by chance; those of one seed are always the same."""

    def __init__(self, made: Pair, seed: int) -> None:
        assert made.scene is not None
        self._rng = Random(seed)
        self._scene = made.scene
        programs = [questions.read(text, made.kind) for text in (made.existing, made.new)]
        self._keys = contexts.Context(programs).keys
        statements = [rule.statement for program in programs for rule in program.rules]
        self._actions = sorted({action for actions in generator.ACTIONS.values() for action in actions} | {"orders:X", "a:b"})
        self._near = [*made.scene.actions, *self._written(statements, "actions")]
        resources = [one for found in made.scene.resources.values() for one, _ in found]
        self._resources = [*resources, *self._written(statements, "resources"), "*", "arn:aws:s3:::data/home/alice/g"]
        kinds = subjects.OF_IDENTITY if made.kind is PolicyType.IDENTITY else subjects.KINDS
        known = [gen_callers.CALLERS[i] for i in made.scene.callers] * 3 + list(gen_callers.CALLERS)
        self._callers = [_principal(one) for one in known if one["principal_type"] in kinds and _is_whole(one)]
        self._constants = {
            key: [str(value) for statement in statements for one in statement.conditions if one.key.lower() == key for value in one.values]
            for key in self._keys
        }

    def _written(self, statements: list[policy.Statement], name: str) -> list[str]:
        """What patterns say, with something for each wildcard."""
        found = [text for statement in statements for text in getattr(statement, name) or () if "${" not in text]
        texts = [text.replace("*", self._rng.choice(("", "x", "Get", "a/b", ":"))).replace("?", "q") for text in found]
        return [text for text in texts if name != "actions" or (text.count(":") == 1 and text.strip(":") == text and len(text) > 2)]

    def requests(self, count: int) -> list[Witness]:
        """So many requests."""
        return [self._request() for _ in range(count)]

    def _request(self) -> Witness:
        rng = self._rng
        principal = rng.choice(self._callers)
        action = rng.choice(self._near if rng.random() < 0.85 else self._actions)
        context: dict[str, str | tuple[str, ...]] = {}
        for name, key in self._keys.items():
            if key.follows:
                if name == "aws:username" and principal.kind == "user":
                    context[name] = principal.arn.rpartition("/")[2]
                continue
            outside = principal.kind in ("service", "anonymous", "federated")
            if name.startswith(("aws:principalorgid", "aws:principaltag/", "aws:userid")) and outside:
                continue
            if name == "aws:userid":
                principal, context[name] = callers.with_user_id(principal, rng.choice(self._pool(name)))
                continue
            if name not in contexts.ALWAYS and rng.random() < 0.25:
                continue
            pool = self._pool(name)
            listed = key.listed and (not key.single or rng.random() < 0.6)
            context[name] = tuple(rng.choice(pool) for _ in range(rng.choice((0, 1, 1, 2, 3)))) if listed else rng.choice(pool)
        return Witness(principal, action, rng.choice(self._resources), context)

    def _pool(self, name: str) -> list[str]:
        known = KINDS.get(name)
        constants = [value.replace("*", "z").replace("?", "z").split("/")[0] for value in self._constants[name]]
        return [*(gen_conditions.VALUES[known.kind] if known is not None else ("x",)), *self._constants[name], *constants]


def _is_whole(caller: gen_callers.Caller) -> bool:
    return caller["principal_type"] != "assumed-role" or "role_arn" in caller


def _principal(caller: gen_callers.Caller) -> policy.Principal:
    kind, arn = caller["principal_type"], caller["principal"] or caller.get("provider", "")
    account = arn.split(":")[4] if kind not in ("service", "anonymous", "federated") else ""
    role = arn if kind == "role" else caller.get("role_arn", "")
    return policy.Principal(kind, arn, account, role, caller.get("unique_id", ""), caller.get("provider", ""))


_read = lru_cache(maxsize=64)(questions.read)  # which validates each time


def grants_more(made: Pair, request: Witness) -> bool:
    """The evaluator's own word: whether the new policy grants a request that the existing one does not."""
    before, after = _read(made.existing, made.kind), _read(made.new, made.kind)
    of_resource = made.kind is PolicyType.RESOURCE
    return (
        request.action.lower() != "sts:getcalleridentity"
        and not (request.principal.kind == "root" and request.action.lower() == "sts:assumerole")
        and witnesses.is_granted(after, request, of_resource=of_resource) is True
        and witnesses.is_granted(before, request, of_resource=of_resource) is False
    )


def oracle_says_more(made: Pair, request: Witness) -> bool:
    """The same by the second evaluator, which shares no code with the first."""
    after, before = (oracle.decide(_case(text, made.kind, request)).outcome for text in (made.new, made.existing))
    return after == "Allowed" != before


def _case(text: str, kind: PolicyType, request: Witness) -> dict[str, Any]:
    principal, context = request.principal, dict(request.context)
    full = generator.FULL_ACCESS
    asked: dict[str, Any] = {
        "principal": principal.arn or None,
        "principal_type": principal.kind,
        "action": request.action,
        "resource": request.resource,
        **{name: value for name in ("role_arn", "unique_id", "provider", "canonical") if (value := getattr(principal, name))},
    }
    document = json.loads(text)
    if kind is PolicyType.IDENTITY:
        owner = context.get("aws:resourceaccount", principal.account)
        delegating = {"Version": "2012-10-17", "Statement": [{**full["Statement"][0], "Principal": {"AWS": principal.account}}]}
        layers = {"identity_policies": [document], "resource_policy": delegating}
    else:
        owner = witnesses.OTHER_OWNER if principal.account != witnesses.OTHER_OWNER else "111122223333"
        context.setdefault("aws:resourceaccount", witnesses.OTHER_OWNER)
        layers = {"identity_policies": [full] if principal.account else [], "resource_policy": document}
    return {
        "request": {
            **asked,
            "resource_account": owner,
            "context": {name: [value] if isinstance(value, str) else list(value) for name, value in context.items()},
            "multivalued_keys": [name for name, value in context.items() if not isinstance(value, str)],
        },
        **layers,
        "permission_boundary": None,
        "session_policies": [full] if principal.kind == "federated-user" else None,
        "scps": None,
        "rcps": None,
    }
