"""Policy -> Program: what a policy says about an action, found without reading the rest of it.

A statement becomes a Rule. For an action, the rules that cover it become a Bucket, kept for the next request: an indexed Side for Deny and
one for Allow. Documents are compiled once for each text.

A Program has two faces: as a policy of an identity (also boundary, session policy, SCP), where nobody is named and a resource must be, and
as a policy of a resource, where somebody must be named. A statement of the wrong kind allows nothing; a Deny of the wrong kind denies all
that it covers.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import TypeVar

from sekisho.policy import budget, document, index, keys, weights
from sekisho.policy.budget import Weight
from sekisho.policy.document import Policy
from sekisho.policy.rules import ActionTest, Rule

Bucket = tuple[index.Side | None, index.Side | None, Weight | None]  # Deny, Allow; of both, where that is not light

MAX_ACTIONS = 1024  # remembered actions of one face of a program
MAX_ACTION_LENGTH = 256  # longer ones are not remembered, and not decided
MAX_LOOKUP = 2_000_000.0  # ns that finding the statements about an action may take, which happens once
MAX_CACHED_CHARACTERS = 8 * 1024 * 1024  # of the texts of cached programs; each takes about 30 bytes once compiled

_TOO_MANY = "the policy has too many patterns of actions to look for this one"
_K = TypeVar("_K")


class Program:
    """A compiled policy; immutable but for what it remembers. `indexed=False` asks every rule, in order, and remembers nothing.

    `text` is the document as it was given and `hash` the SHA-256 of it in hex, both empty where there was no text. `keys` are all condition
    keys that can have a say in what the policy says, in lower case, those of its variables among them; tags are spelled whole.
    `lasting` says that all of them have one value for as long as a principal's credential lasts: of a request nothing is asked but its
    action and its resource.
    """

    __slots__ = (
        "_buckets",
        "_exact",
        "_indexed",
        "_lookup",
        "_others",
        "_services",
        "hash",
        "identity",
        "keys",
        "lasting",
        "policy",
        "resource",
        "rules",
        "text",
    )

    def __init__(self, policy: Policy, *, indexed: bool = True, text: str = "") -> None:
        self.policy = policy
        self.text = text
        self.hash = _digest(text).hex() if text else ""
        self.rules = tuple(Rule(statement, dynamic=policy.version == document.VERSION) for statement in policy.statements)
        self.keys = frozenset(key for rule in self.rules for key in rule.keys)
        self.lasting = all(map(keys.lasts, self.keys))
        self.identity: dict[str, Bucket] = {}
        self.resource: dict[str, Bucket] = {}
        self._buckets: dict[tuple[bool, tuple[int, ...]], Bucket] = {}
        self._indexed = indexed
        self._exact: dict[str, list[int]] = {}
        self._services: dict[str, list[tuple[int, ActionTest]]] = {}
        self._others: list[int] = []
        self._lookup = weights.lookup([pattern for rule in self.rules for pattern in rule.statement.actions])
        for i, rule in enumerate(self.rules):
            if rule.statement.not_action or any(service is None for service, _, _ in rule.actions):
                self._others.append(i)
                continue
            for service, name, matches in rule.actions:
                assert service is not None
                if name is not None:
                    self._exact.setdefault(f"{service}:{name}", []).append(i)
                else:
                    self._services.setdefault(service, []).append((i, matches))

    @property
    def remembered(self) -> int:
        """How many actions are remembered; callers can make names up."""
        return len(self.identity) + len(self.resource)

    def identity_bucket(self, action: str) -> Bucket:
        """What the policy of an identity says about an action; `identity` remembers it."""
        return self._bucket(action, self.identity, of_resource=False)

    def resource_bucket(self, action: str) -> Bucket:
        """What the policy of a resource says about an action; `resource` remembers it."""
        return self._bucket(action, self.resource, of_resource=True)

    def about(self, action: str, *, of_resource: bool) -> list[Rule]:
        """The rules about an action, in order, that can say something where the policy stands: those of which its bucket is made."""
        if self.lookup(action) > MAX_LOOKUP:
            raise budget.TooMuchWork(_TOO_MANY)
        return [self.rules[i] for i in sorted(self._covering(action.lower())) if _fits(self.rules[i], of_resource)]

    def lookup(self, action: str) -> float:
        """Nanoseconds that finding the statements about an action may take."""
        fixed, of_character = self._lookup
        return fixed + of_character * len(action)

    def _bucket(self, action: str, memory: dict[str, Bucket], *, of_resource: bool) -> Bucket:
        if self.lookup(action) > MAX_LOOKUP:
            raise budget.TooMuchWork(_TOO_MANY)
        lowered = action.lower()
        if not self._indexed:
            covered = [rule for rule in self.rules if rule.covers_action(lowered) and _fits(rule, of_resource)]
            return _bucket(covered, indexed=False, of_resource=of_resource)
        covering = tuple(sorted(self._covering(lowered)))
        bucket = self._buckets.get((of_resource, covering))
        if bucket is None:
            bucket = _bucket([self.rules[i] for i in covering if _fits(self.rules[i], of_resource)], indexed=True, of_resource=of_resource)
            _remember(self._buckets, (of_resource, covering), bucket)
        if len(action) <= MAX_ACTION_LENGTH:
            _remember(memory, action, bucket)
        return bucket

    def _covering(self, action: str) -> set[int]:
        service, _, name = action.partition(":")
        found = {i for i, matches in self._services.get(service, ()) if matches(service, name)}
        found.update(self._exact.get(action, ()))
        found.update(i for i in self._others if self.rules[i].covers_action(action))
        return found


def _remember(memory: dict[_K, Bucket], key: _K, value: Bucket) -> None:
    if len(memory) >= MAX_ACTIONS:
        memory.clear()
    memory[key] = value


def _fits(rule: Rule, of_resource: bool) -> bool:
    if rule.deny:
        return True
    return rule.grantees is not None if of_resource else rule.grantees is None and rule.statement.resources is not None


def _bucket(rules: list[Rule], *, indexed: bool, of_resource: bool) -> Bucket:
    deny, allow = (
        index.side([rule for rule in rules if rule.deny is deny], indexed=indexed, of_resource=of_resource) for deny in (True, False)
    )
    weight = budget.total(side[-1] for side in (deny, allow) if side is not None)
    return deny, allow, None if budget.is_light(weight) else weight


def compile_policy(policy: Policy, *, indexed: bool = True, text: str = "") -> Program:
    """Compile a policy, which was read from the text; `indexed=False` is the plain reading, for comparison."""
    return Program(policy, indexed=indexed, text=text)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_lock = threading.Lock()
_programs: OrderedDict[bytes, tuple[int, Program]] = OrderedDict()
_characters = 0


def compiled(text: str) -> Program:
    """The program of a document's text, cached by the hash of it; raises MalformedPolicyDocument."""
    global _characters
    digest = _digest(text)
    with _lock:
        if digest in _programs:
            _programs.move_to_end(digest)
            return _programs[digest][1]
    program = Program(document.parse(text), text=text)
    with _lock:
        if digest not in _programs:
            _programs[digest] = (len(text), program)
            _characters += len(text)
        while _characters > MAX_CACHED_CHARACTERS:
            _characters -= _programs.popitem(last=False)[1][0]
    return program
