"""Policy -> Program: what a policy says about an action, found without reading the rest of it.

A statement becomes a Rule. For an action, the rules that cover it become a Bucket, kept for the next request: one Side for Deny and one for
Allow, each with its resources by whole text, by literal prefix, and the rest. Documents are compiled once for each text.

A Program has two faces: as a policy of an identity (also boundary, session policy, SCP), where nobody is named and a resource must be, and
as a policy of a resource, where somebody must be named. A statement of the wrong kind allows nothing; a Deny of the wrong kind denies all
that it covers.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

from sekisho.policy import conditions, document, patterns, variables
from sekisho.policy.document import Condition, Policy, Statement
from sekisho.policy.keys import Values
from sekisho.policy.patterns import ANY, Wildcard
from sekisho.policy.principals import Grantees

ResourceTest = Callable[[str, Values], bool]
Entry = tuple[ResourceTest | None, conditions.Test | None, "Rule"]  # None: holds already
Side = tuple[tuple[Entry, ...], Callable[[str], tuple[Entry, ...] | None], tuple[tuple[int, Callable[[str], tuple[Entry, ...] | None]], ...]]
Bucket = tuple[Side | None, Side | None, tuple[int, int] | None]  # Deny, Allow, (weight, slow) where they are worth counting

_K = TypeVar("_K")

MAX_ACTIONS = 1024  # remembered actions of one face of a program
MAX_PREFIX_LENGTHS = 6  # look-ups of one Side
MAX_CACHED_CHARACTERS = 32 * 1024 * 1024  # of the texts of cached programs
_LIGHT, _QUICK = 4096, 16  # a bucket below these weighs nothing in a decision's budget


class Rule:
    """A statement, ready to be asked; `covers_action` and `covers_resource` say alone what the indexes of a Program say together."""

    __slots__ = ("actions", "covers", "deny", "grantees", "guard", "referred", "resources", "slow", "statement", "test", "tests", "weight")

    def __init__(self, statement: Statement, *, dynamic: bool) -> None:
        self.statement = statement
        self.deny = statement.effect == "Deny"
        self.actions = tuple(_action(pattern) for pattern in statement.actions)
        self.resources = tuple(variables.parse(text, variables=dynamic, wildcards=True) for text in statement.resources or ())
        self.covers = tuple(_resource_test(parts) for parts in self.resources)
        made = [conditions.compiled(condition, deny=self.deny, dynamic=dynamic) for condition in statement.conditions]
        self.tests: tuple[tuple[Condition, conditions.Test], ...] = tuple(zip(statement.conditions, (test for test, _ in made), strict=True))
        self.referred = tuple(
            dict.fromkeys(
                variable
                for found in (*(variables.referred(parts) for parts in self.resources), *(referred for _, referred in made))
                for variable in found
            )
        )
        self.guard = variables.guard(self.referred)
        self.test = _all([*([self.guard] if self.guard else ()), *(test for test, _ in made)])
        self.grantees = Grantees(statement) if statement.principals is not None else None
        self.weight, self.slow = _cost(statement)

    def covers_action(self, action: str) -> bool:
        """Whether the statement is about the action, which is given in lower case."""
        service, _, name = action.partition(":")
        return any(matches(service, name) for _, _, matches in self.actions) is not self.statement.not_action

    def covers_resource(self, resource: str, context: Values) -> bool:
        """Whether the statement is about the resource; without a Resource element it is about all."""
        if self.statement.resources is None:
            return True
        return any(covers(resource, context) for covers in self.covers) is not self.statement.not_resource


def _action(pattern: str) -> tuple[str | None, str | None, Callable[[str, str], bool]]:
    """(service, name, test) of an action pattern; the first two only where they are literal. A star never crosses the colon."""
    pattern = pattern.lower()
    if not pattern.strip("*"):
        return None, None, lambda _service, _name: True
    before, colon, after = pattern.partition(":")
    if not colon:
        return None, None, lambda _service, _name: False
    service, name = (None if "*" in part or "?" in part else part for part in (before, after))
    matches_name = patterns.matcher(patterns.tokens(after))
    if service is not None:
        return service, name, lambda given, rest: given == service and matches_name(rest)
    matches_service = patterns.matcher(patterns.tokens(before))
    return None, name, lambda given, rest: matches_service(given) and matches_name(rest)


def _all(tests: list[conditions.Test]) -> conditions.Test | None:
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda context: first(context) and second(context)

    def every(context: Values) -> bool:
        for test in tests:
            if not test(context):
                return False
        return True

    return every


def _cost(statement: Statement) -> tuple[int, int]:
    """How many comparisons a statement may take, and how many of them take a step for each character."""
    weight, slow = 1, 0
    for listed in (statement.resources or (), *(condition.values for condition in statement.conditions)):
        weight += len(listed)
        slow += sum(patterns.is_slow(patterns.tokens(text)) for text in listed)
    return weight, slow


def _resource_test(parts: tuple[variables.Part, ...]) -> ResourceTest:
    static = tuple(part for part in parts if not isinstance(part, variables.Variable))
    if len(static) == len(parts):
        matches = patterns.resource_matcher(static)
        return lambda resource, _context: matches(resource)

    def dynamic(resource: str, context: Values) -> bool:
        resolved = variables.resolve(parts, context)
        return resolved is not None and patterns.resource_matcher(resolved)(resource)

    stem = parts[:-1] if parts[-1] is ANY else parts
    if any(isinstance(part, Wildcard) for part in stem):
        return dynamic

    def simple(resource: str, context: Values) -> bool:
        resolved = variables.resolve(stem, context)
        if resolved is None:
            return False
        text = "".join(resolved)  # type: ignore[arg-type]  # no wildcards in the stem
        return resource.startswith(text) if stem is not parts else resource == text

    return simple


class Program:
    """A compiled policy; immutable but for what it remembers. `indexed=False` asks every rule, in order, and remembers nothing."""

    __slots__ = ("_buckets", "_exact", "_indexed", "_others", "_services", "identity", "policy", "resource", "rules")

    def __init__(self, policy: Policy, *, indexed: bool = True) -> None:
        self.policy = policy
        self.rules = tuple(Rule(statement, dynamic=policy.version == document.VERSION) for statement in policy.statements)
        self.identity: dict[str, Bucket] = {}
        self.resource: dict[str, Bucket] = {}
        self._buckets: dict[tuple[bool, tuple[int, ...]], Bucket] = {}
        self._indexed = indexed
        self._exact: dict[str, list[int]] = {}
        self._services: dict[str, list[tuple[int, Callable[[str, str], bool]]]] = {}
        self._others: list[int] = []
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

    def identity_bucket(self, action: str) -> Bucket:
        """What the policy of an identity says about an action; `identity` remembers it."""
        return self._bucket(action, self.identity, of_resource=False)

    def resource_bucket(self, action: str) -> Bucket:
        """What the policy of a resource says about an action; `resource` remembers it."""
        return self._bucket(action, self.resource, of_resource=True)

    def _bucket(self, action: str, memory: dict[str, Bucket], *, of_resource: bool) -> Bucket:
        lowered = action.lower()
        if not self._indexed:
            return _bucket([rule for rule in self.rules if rule.covers_action(lowered) and _fits(rule, of_resource)], indexed=False)
        covering = tuple(sorted(self._covering(lowered)))
        bucket = self._buckets.get((of_resource, covering))
        if bucket is None:
            bucket = _bucket([self.rules[i] for i in covering if _fits(self.rules[i], of_resource)], indexed=True)
            _remember(self._buckets, (of_resource, covering), bucket)
        if len(action) <= 256:
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


def _bucket(rules: list[Rule], *, indexed: bool) -> Bucket:
    denies, allows = ([rule for rule in rules if rule.deny is deny] for deny in (True, False))
    weight, slow = sum(rule.weight for rule in rules), sum(rule.slow for rule in rules)
    counted = (weight, slow) if weight > _LIGHT or slow > _QUICK else None
    return _side(denies, indexed=indexed), _side(allows, indexed=indexed), counted


def _side(rules: list[Rule], *, indexed: bool) -> Side | None:
    if not rules:
        return None
    rest: list[Entry] = []
    exact: dict[str, list[Entry]] = {}
    prefixed: list[tuple[str, Entry]] = []
    for rule in rules:
        if rule.statement.resources is None or (ANY,) in rule.resources and not rule.statement.not_resource:
            rest.append((None, rule.test, rule))
        elif rule.statement.not_resource or not indexed:
            rest.append((rule.covers_resource, rule.test, rule))
        else:
            for parts, covers in zip(rule.resources, rule.covers, strict=True):
                _place((covers, rule.test, rule), parts, rest, exact, prefixed)
    return tuple(rest), _frozen(exact).get, _by_prefix(prefixed)


def _place(
    entry: Entry, parts: tuple[variables.Part, ...], rest: list[Entry], exact: dict[str, list[Entry]], prefixed: list[tuple[str, Entry]]
) -> None:
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    if first and len(parts) == 1:
        exact.setdefault(first, []).append((None, *entry[1:]))
    elif first:
        prefixed.append((first, (None, *entry[1:]) if parts[1:] == (ANY,) else entry))
    else:
        rest.append(entry)


def _by_prefix(prefixed: Iterable[tuple[str, Entry]]) -> tuple[tuple[int, Callable[[str], tuple[Entry, ...] | None]], ...]:
    """Entries by their literal prefix, cut to one of a few lengths: a look-up for each length."""
    prefixed = list(prefixed)
    lengths = sorted({len(prefix) for prefix, _ in prefixed})
    while len(lengths) > MAX_PREFIX_LENGTHS:  # thin out, keeping the shortest, so that every prefix has a length to be cut to
        lengths = lengths[:1] + lengths[2::2]
    tables: dict[int, dict[str, list[Entry]]] = {length: {} for length in lengths}
    for prefix, (covers, test, rule) in prefixed:
        length = max(length for length in lengths if length <= len(prefix))
        if covers is None and length < len(prefix):
            covers = _starting_with(prefix)
        tables[length].setdefault(prefix[:length], []).append((covers, test, rule))
    return tuple((length, _frozen(table).get) for length, table in tables.items())


def _starting_with(prefix: str) -> ResourceTest:
    return lambda resource, _context: resource.startswith(prefix)


def _frozen(table: dict[str, list[Entry]]) -> dict[str, tuple[Entry, ...]]:
    return {key: tuple(entries) for key, entries in table.items()}


def compile_policy(policy: Policy, *, indexed: bool = True) -> Program:
    """Compile a policy; `indexed=False` is the plain reading, for comparison."""
    return Program(policy, indexed=indexed)


_lock = threading.Lock()
_programs: OrderedDict[bytes, tuple[int, Program]] = OrderedDict()
_characters = 0


def compiled(text: str) -> Program:
    """The program of a document's text, cached by the hash of it; raises MalformedPolicyDocument."""
    global _characters
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    with _lock:
        if digest in _programs:
            _programs.move_to_end(digest)
            return _programs[digest][1]
    program = compile_policy(document.parse(text))
    with _lock:
        if digest not in _programs:
            _programs[digest] = (len(text), program)
            _characters += len(text)
        while _characters > MAX_CACHED_CHARACTERS:
            _characters -= _programs.popitem(last=False)[1][0]
    return program
