"""Witnesses: one whole request out of a model, and the evaluator's own word on it.

A model says what each text must be, and must not be; here each becomes a text, one that people know where there is one, else the shortest.
Nothing that is made here is believed: `is_granted` asks `policy.decide`.
"""

import base64
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sekisho import arn, policy
from sekisho.analysis.inside import USER_ID
from sekisho.analysis.solver import languages, shapes, subjects
from sekisho.analysis.solver.contexts import ALWAYS, Context, Key
from sekisho.analysis.solver.effort import STEPS_A_MILLISECOND, Effort, TooHard
from sekisho.analysis.solver.formulas import Every, Fact, Formula, In, Linked, Not, Some, atoms
from sekisho.analysis.solver.languages import Language
from sekisho.analysis.solver.search import Model
from sekisho.policy.decide import implied_context
from sekisho.policy.patterns import Token
from sekisho.policy.principals import NONE
from sekisho.policy.variables import Part, Variable

OTHER_OWNER = "999999999999"
"""The account that owns the resource where a resource's policy is asked: another than the principal's, so that the policy must grant."""
_ACCOUNT, _ANOTHER = "111122223333", "444455556666"
_TRIES = 6  # values of a variable within a pattern that are tried
ACTIONS = ("s3:GetObject", "s3:PutObject", "iam:PassRole", "sts:AssumeRole", "ec2:RunInstances", "sqs:SendMessage", "kms:Decrypt")
_USUAL: Mapping[str, tuple[str, ...]] = {  # texts that people know, by the variable that may have them
    subjects.ACTION: tuple(map(str.lower, ACTIONS)),
    subjects.RESOURCE: (
        *("arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket", f"arn:aws:sqs:us-east-1:{_ACCOUNT}:queue"),
        *(f"arn:aws:iam::{_ACCOUNT}:role/reader", f"arn:aws:iam::{_ACCOUNT}:user/alice", "*"),
    ),
    subjects.PRINCIPAL: (
        *(f"arn:aws:iam::{_ACCOUNT}:{name}" for name in ("user/alice", "role/reader", "root")),
        f"arn:aws:sts::{_ACCOUNT}:federated-user/alice",
        "service.amazonaws.com",
        "accounts.example.com",
        *(f"arn:aws:iam::{_ANOTHER}:{name}" for name in ("user/mallory", "role/intruder", "root")),
    ),
    subjects.USER_ID: ("AIDAEXAMPLEEXAMPLE234", "AROAEXAMPLEEXAMPLE234:session"),
}
_USUAL_VALUES = ("value", _ACCOUNT, "o-example123", f"arn:aws:iam::{_ACCOUNT}:role/reader", f"arn:aws:sns:us-east-1:{_ACCOUNT}:topic")
_SOFT = {subjects.ACTION: shapes.ACTION, subjects.RESOURCE: shapes.ARN}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Witness:
    """One request that a policy grants: the keys of its context in lower case, without those that follow from the principal."""

    principal: policy.Principal
    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]]


@dataclass(slots=True)
class Draft:
    """A model on its way to a request: texts that are chosen already."""

    model: Model
    context: Context
    effort: Effort
    spellings: Mapping[str, str]
    """Actions as the policies write them, by their lower case."""
    examples: Sequence[str] = ()
    """Resources that the policies write, or nearly so."""
    texts: dict[str, str] = field(default_factory=dict)

    def witnesses(self) -> Iterator[Witness]:
        """Requests that may be what the model says, the likeliest first; none where texts that depend on each other fit nothing."""
        patterns = [atom for atom, _ in self.model.literals if isinstance(atom, Linked)]
        sources = list(dict.fromkeys(key for atom in patterns for key in atom.keys))
        refused: list[str] = []
        for turn in range(_TRIES if sources else 1):
            self.texts = {}
            self.effort.spend(20 + 20 * len(self.context.keys))
            if self._choose(sources, refused, guess=turn > 1):
                yield self._witness()
            if len(sources) == 0:
                return
            refused += [text for text in (self._value_of(name) for name in sources) if text is not None]

    def _choose(self, sources: Sequence[str], refused: Sequence[str], *, guess: bool) -> bool:
        """Choose the texts of all variables: first those whose values stand in patterns, which may not be any of the refused ones."""
        targets = {atom.variable for atom, _ in self.model.literals if isinstance(atom, Linked)}
        kinds = self._kind()
        own = [subjects.PRINCIPAL, subjects.USER_ID, subjects.CANONICAL, subjects.ACTION, subjects.RESOURCE]
        keyed = [key.variable(place) for key in self._present() for place in range(self._count(key)) if not key.follows]
        names = sorted(dict.fromkeys([*own, *keyed]), key=lambda name: name in targets)
        first = [name for name in names if name not in targets]
        of_sources = {subjects.PRINCIPAL if self.context.key(name).follows else self.context.key(name).variable(0) for name in sources}
        for name in (*first, *(name for name in names if name in targets)):
            avoid = refused if name in of_sources and refused else ()
            text = self._text(name, kinds, avoid, guess=guess)
            if text is None and avoid:
                text = self._text(name, kinds, (), guess=guess)
            if text is None:
                return False
            self.texts[name] = text
        return True

    def _text(self, name: str, kind: str, avoid: Sequence[str], *, guess: bool) -> str | None:
        if name == subjects.USER_ID and kind not in subjects.USER_IDS:
            return self._user_id()
        within, without, linked = self.model.of(name)
        for atom, wanted in linked:
            language = self._resolved(atom)
            if language is not None:
                (within if wanted else without).append(language)
            elif wanted:
                return None
        if avoid:
            without = [*without, *self._avoided(name, avoid)]
        read = self._read(name)
        examples = self.examples if name == subjects.RESOURCE else ()
        if name == subjects.RESOURCE:
            service = f":{self.texts[subjects.ACTION].partition(':')[0]}:"
            examples = sorted((*examples, *_USUAL[name]), key=lambda text: service not in text)
        usual: tuple[str, ...] = (
            *read,
            *examples,
            *(self._guesses(name) if guess else ()),
            *_USUAL.get(name, _USUAL_VALUES if name.startswith("key ") else ()),
        )
        if name == subjects.PRINCIPAL:
            within = [*within, subjects.SHAPE[kind]]
        elif name == subjects.ACTION:
            within = [*within, shapes.ACTION]
        self.effort.spend(1 + len(usual) * (len(within) + len(without)) // 16)
        for text in usual:
            if all(one.has(text) for one in within) and not any(one.has(text) for one in without):
                return text
        if read and not within and not without:
            return read[0]
        soft = _SOFT.get(name)
        found = self._found([*within, soft], without) if soft is not None else None
        return found if found is not None else self._found(within, without)

    def _avoided(self, name: str, values: Sequence[str]) -> list[Language]:
        """The texts of a variable with which some key would have one of these values."""
        if name != subjects.PRINCIPAL:
            return [languages.literals(values)]
        patterns = [atom for atom, _ in self.model.literals if isinstance(atom, Linked)]
        following = {key for atom in patterns for key in atom.keys if self.context.key(key).follows}
        asked = [self.context.key(key).text(0, languages.literals(values)) for key in following]
        return [atom.language for formula in asked for atom in atoms(formula) if isinstance(atom, In)]

    def _found(self, within: Sequence[Language], without: Sequence[Language]) -> str | None:
        """The shortest text, or any where a search for that takes too long."""
        share = Effort(max(1, self.effort.left // STEPS_A_MILLISECOND // 2))
        allowed = share.left
        try:
            return languages.find(within, without, share)
        except TooHard:
            return languages.guess(within, without)
        finally:
            self.effort.spend(allowed - max(0, share.left))

    def _guesses(self, name: str) -> list[str]:
        """Values that would make a pattern fit a text that it has to fit: pieces of the text, cut where the pattern has the variable."""
        exact: dict[str, None] = {}
        found: dict[str, None] = {}
        for atom, wanted in self.model.literals:
            if not isinstance(atom, Linked) or not wanted or name not in {self.context.key(key).variable(0) for key in atom.keys}:
                continue
            within, without, _ = self.model.of(atom.variable)
            fit = languages.find([*within, shapes.relaxed(atom.shape, atom.parts)], without, self.effort)
            exact.update(dict.fromkeys(_between(atom.parts, fit or "")))
            for start in range(min(len(fit or ""), 64)):
                found.update(dict.fromkeys((fit or "")[start:end] for end in range(len(fit or ""), start, -1)))
        return [*exact, *[text for text in found if ":" not in text][:256]]

    def _resolved(self, atom: Linked) -> Language | None:
        """The language of a pattern under the values that were chosen; None where one of its variables has no value."""
        tokens: list[Token] = []
        for part in atom.parts:
            if not isinstance(part, Variable):
                tokens.append(part)
                continue
            value = self._value_of(part.key)
            if value is None:
                return None
            tokens.append(value)
        return shapes.united([shapes.SHAPES[atom.shape](tuple(tokens))])

    def _value_of(self, name: str) -> str | None:
        """The one value of a key, as far as it is chosen."""
        key = self.context.key(name)
        if self._holds(key.absent) or self._holds(key.is_list):
            return None
        if key.follows:
            return _follows(name, self._kind(), self.texts.get(subjects.PRINCIPAL, ""))
        return self._user_id() if name == USER_ID else self.texts.get(key.variable(0))

    def _user_id(self) -> str:
        """`aws:userid`: what is chosen for it, or what follows from the ARN; empty of those who have none."""
        kind, text = self._kind(), self.texts.get(subjects.PRINCIPAL, "")
        if kind in subjects.USER_IDS:
            return self.texts.get(subjects.USER_ID, "")
        account = arn.account_of(text)
        return {"root": account, "federated-user": f"{account}:{text.rpartition('/')[2]}"}.get(kind, "")

    def _present(self) -> list[Key]:
        return [key for key in self.context.keys.values() if not self._holds(key.absent)]

    def _count(self, key: Key) -> int:
        """How many values it has."""
        return sum(self._holds(key.has(place)) for place in range(key.places))

    def _kind(self) -> str:
        return next((name for name in subjects.KINDS if self.model.facts.get(f"kind {name}")), "user")

    def _holds(self, formula: Formula) -> bool:
        """A formula of facts is true in the model; a key that nobody asks for is absent."""
        if isinstance(formula, Not):
            return not self._holds(formula.inner)
        if isinstance(formula, Every):
            return all(map(self._holds, formula.parts))
        if isinstance(formula, Some):
            return any(map(self._holds, formula.parts))
        assert isinstance(formula, Fact)
        return self.model.facts.get(formula.name, formula.name.startswith("absent "))

    def _read(self, variable: str) -> list[str]:
        """A value as other readings than text have it."""
        found = []
        for reading in sorted(self.context.readings.get(variable, set()) - {"text"}):
            name = f"{variable} {reading}"
            if self.model.facts.get(f"unread {name}"):
                found.append("none of its kind")
            elif reading == "bool":
                found.append("true" if self.model.facts.get(f"true {name}") else "false")
            elif reading == "bytes":
                said = [value for value in self.context.bytes.get(name, ()) if self.model.facts.get(f"{name} {value.hex()}")]
                found.append(base64.b64encode(said[0] if said else b"other").decode())
            elif reading == "address":
                found.append(_address(self.model.addresses.get(name, (1 << 128) | 0x0A000001)))
            else:
                number = self.model.numbers.get(name, Decimal(1_800_000_000))
                found.append(_date(number) if reading == "date" else f"{number:f}")
        if not found and variable in {f"key {name} 0" for name in ALWAYS}:
            found = [_ACCOUNT if "account" in variable else "2026-01-01T00:00:00Z" if "current" in variable else "1767225600"]
        return found

    def _witness(self) -> Witness:
        action = self.texts[subjects.ACTION]
        values: dict[str, str | tuple[str, ...]] = {}
        for key in self._present():
            if key.follows:
                # What policy.decide does not take from the principal, its records say.
                if key.name == "aws:username":
                    values[key.name] = self._value_of(key.name) or ""
                continue
            texts = tuple(self.texts[key.variable(place)] for place in range(self._count(key)))
            values[key.name] = texts if self._holds(key.is_list) else self._user_id() if key.name == USER_ID else texts[0]
        return Witness(self._principal(), _spelled(action, self.spellings), self.texts[subjects.RESOURCE], values)

    def _principal(self) -> policy.Principal:
        kind, text = self._kind(), self.texts[subjects.PRINCIPAL]
        unique, _, called = self._user_id().partition(":")
        canonical, account = self.texts[subjects.CANONICAL], arn.account_of(text)
        if kind == "service":
            return policy.Principal(kind, text, "")
        if kind == "anonymous":
            return policy.Principal(kind, "", "")
        if kind == "federated":
            return policy.Principal(kind, text, "", provider=text)
        if kind == "assumed-role":
            segments = text.split(":", 5)
            name = segments[5].rpartition("/")[2]
            session = f"arn:{segments[1]}:sts::{account}:assumed-role/{name}/{called}"
            return policy.Principal(kind, session, account, role_arn=text, unique_id=unique, canonical=canonical)
        role = text if kind == "role" else ""
        return policy.Principal(
            kind, text, account, role_arn=role, unique_id=unique if kind != "federated-user" else "", canonical=canonical
        )


def _between(parts: Sequence[Part], text: str) -> Iterator[str]:
    """The value in the place of the one variable of a pattern that a text fits; nothing where there is more than that to be told."""
    places = [i for i, part in enumerate(parts) if isinstance(part, Variable)]
    fixed = [part for part in parts if isinstance(part, str)]
    if len(places) == 1 and len(fixed) == len(parts) - 1:
        before, after = "".join(fixed[: places[0]]), "".join(fixed[places[0] :])
        if text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after):
            yield text[len(before) : len(text) - len(after)]


def smaller(witness: Witness) -> Iterator[Witness]:
    """The same request with less in its context: without a key, or without one of several values."""
    for key, value in witness.context.items():
        if key not in ALWAYS and key not in subjects.FOLLOWING and key != USER_ID:
            yield replace(witness, context={name: kept for name, kept in witness.context.items() if name != key})
        if isinstance(value, tuple):
            for i in range(len(value)) if len(value) > 1 else ():
                yield replace(witness, context={**witness.context, key: value[:i] + value[i + 1 :]})


def is_granted(program: policy.Program, witness: Witness, *, of_resource: bool) -> bool | None:
    """Whether a policy grants the request, as `policy.decide` has it; None where that could not be decided.

    An identity-based policy stands alone as such, beside a resource policy that hands the question to the principal's account. A resource's
    policy is asked by a principal whose own policies allow everything, of another account than the owner's.
    """
    attached = policy.Attached(program, name="document")
    account, context = witness.principal.account, witness.context
    if of_resource:
        owner = OTHER_OWNER if account != OTHER_OWNER else _ACCOUNT
        layers = policy.Layers((_FULL,), attached, session=(_FULL,) if witness.principal.kind == "federated-user" else None)
        context = {"aws:resourceaccount": OTHER_OWNER, **context}
    else:
        owner = str(context.get("aws:resourceaccount", account))
        delegating = policy.compiled(_DELEGATING.replace("ACCOUNT", account))
        layers = policy.Layers((attached,), policy.Attached(delegating, name="account"))
    decision = policy.decide(policy.Request(witness.principal, witness.action, witness.resource, owner, policy.Context(context)), layers)
    return None if decision.error else decision.allowed


def granting(program: policy.Program, witness: Witness, *, of_resource: bool) -> tuple[int, ...]:
    """The Allows of a policy that match the request, by their indexes."""
    request = policy.Request(witness.principal, witness.action, witness.resource, OTHER_OWNER, policy.Context(witness.context))
    context = implied_context(request)
    found = []
    for rule in program.rules:
        if rule.deny or not rule.covers_action(witness.action.lower()) or not rule.covers_resource(witness.resource, context):
            continue
        named = rule.grantees is not None and rule.grantees.grant(witness.principal) > NONE
        if (named if of_resource else rule.grantees is None) and (rule.test is None or rule.test(context)):
            found.append(rule.statement.index)
    return tuple(found)


_EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
_FULL = policy.Attached(policy.compiled(_EVERYTHING), name="everything")
_DELEGATING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"ACCOUNT"},"Action":"*","Resource":"*"}]}'


def _follows(name: str, kind: str, principal: str) -> str | None:
    """The value of a key that the principal determines."""
    found: dict[str, Callable[[], str]] = {
        "aws:principalarn": lambda: principal,
        "aws:principalaccount": lambda: "anonymous" if kind == "anonymous" else arn.account_of(principal),
        "aws:principaltype": lambda: subjects.TYPES[kind],
        "aws:username": lambda: principal.rpartition("/")[2],
    }
    return found[name]() if kind in subjects.FOLLOWING[name][0] else None


def _spelled(action: str, spellings: Mapping[str, str]) -> str:
    """An action as policies write it, as far as they do."""
    if action in spellings:
        return spellings[action]
    best = max((known for known in spellings if "*" in known and action.startswith(known.partition("*")[0])), key=len, default="")
    start = spellings[best].partition("*")[0] if best else ""
    return start + action[len(start) :]


def _date(number: Decimal) -> str:
    """Seconds since 1970 as a date, in a form that is read as the same number."""
    whole = number == number.to_integral_value()
    if whole and -62_135_596_800 < number < 253_402_300_800:
        return (_EPOCH + timedelta(seconds=int(number))).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    return f"{number:f}" if not whole else f"{number:f}.0" if "." not in f"{number:f}" else f"{number:f}"


def _address(number: int) -> str:
    return str(ipaddress.IPv4Address(number & 0xFFFFFFFF)) if number >> 128 else str(ipaddress.IPv6Address(number))
