"""Whether a principal that is known can do something with a resource, by all layers of policies, whatever else its request says.

The layers as formulas say what `policy.decide` does; who is meant by a resource's policy is known here, so that is no formula. Keys that
are known have their values, and all others are free.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sekisho import policy
from sekisho.analysis.inside import USER_ID, Case, is_fixed, layers_of, named_sessions
from sekisho.analysis.solver import conditions, documents, languages, subjects
from sekisho.analysis.solver.contexts import Context, Key
from sekisho.analysis.solver.formulas import FALSE, TRUE, Formula, every, no, some, within
from sekisho.analysis.solver.languages import Language
from sekisho.analysis.solver.questions import Answer, PolicyType, Question, Verdict
from sekisho.analysis.solver.witnesses import Witness
from sekisho.policy.layers import needs_resource_policy
from sekisho.policy.principals import DIRECT, LIMITED, NONE, SESSIONS
from sekisho.policy.rules import Rule
from sekisho.policy.variables import Variable


def inside(case: Case, *, milliseconds: int) -> Verdict:
    """Whether a case is permitted; where it is, the request that shows it has the keys of the whole context."""
    layers = layers_of(case)
    program = next((one.program for one in (*layers.identity, layers.resource) if one is not None), None)
    assert program is not None  # an open case has a policy that may allow it
    return _Case(program, PolicyType.RESOURCE, milliseconds, case=case, layers=layers).asked()


@dataclass(slots=True)
class _Case(Question):
    case: Case = field(kw_only=True)
    layers: policy.Layers = field(kw_only=True)

    @property
    def programs(self) -> list[policy.Program]:
        """All policies that have a say."""
        layers = self.layers
        groups = (layers.identity, layers.boundary or (), *(layers.scps or ()), *(layers.rcps or ()))
        found = [one.program for group in groups for one in group]
        return [*found, *([layers.resource.program] if layers.resource is not None else [])]

    def formulas(self, context: Context) -> list[Formula]:
        """What a request must be so that it is permitted."""
        case, kind = self.case, self._kind
        known = [
            subjects.kind(kind),
            _is(subjects.PRINCIPAL, case.principal.entity_arn),
            _is(subjects.ACTION, case.action.lower()),
            _is(subjects.RESOURCE, case.resource),
        ]
        wanted = [self._permitted(context), *(no(one) for one in self._denied(context))]
        keys = [self._known(key) for key in list(context.keys.values())]
        return [*wanted, *known, *keys, *context.rules()]

    @property
    def rules(self) -> tuple[Formula, ...]:
        """What holds for whoever asks, who is known to be of one kind."""
        return subjects.rules((self._kind,), known=True)

    @property
    def _kind(self) -> str:
        return "assumed-role" if self.case.principal.kind in SESSIONS else self.case.principal.kind

    def _known(self, key: Key) -> Formula:
        """What a key is, as far as that is known."""
        if key.follows:  # the principal says it
            return TRUE
        case = self.case
        if key.name == USER_ID and case.principal.kind in SESSIONS:
            return every((no(key.absent), *self._of_session()))
        if key.name != USER_ID and not is_fixed(key.name, case.action):
            return TRUE
        value = case.fixed.get(key.name, case.principal.unique_id if key.name == USER_ID else None)
        if value is None:
            return key.absent
        values = (value,) if isinstance(value, str) else value
        found = [no(key.absent)]
        if key.listed:
            found.append(key.is_list if isinstance(value, tuple) else no(key.is_list))
        for place in range(key.places):
            if place < len(values):
                found += [key.has(place), key.text(place, languages.literals([values[place]]))]
            else:
                found.append(no(key.has(place)))
        return every(found)

    def _of_session(self) -> Iterator[Formula]:
        """The `aws:userid` of a session: its own name where policies name it, else one that they do not, which all stand for."""
        own, start = self.case.principal.arn.rpartition("/")[2], f"{self.case.principal.unique_id}:"
        named = named_sessions(self.case.principal, self.layers)
        if own in named:
            yield subjects.user_id(languages.literals([start + own]))
        else:
            (run,) = subjects.SESSION_NAMES.runs
            yield subjects.user_id(Language([(*languages.text(start), *run)]))
            yield from (no(subjects.user_id(languages.literals([start + name]))) for name in named)

    def _permitted(self, context: Context) -> Formula:
        """`policy.decide`, where no Deny matches."""
        layers, case = self.layers, self.case
        same = case.owner == case.principal.account
        identity = self._allowed(layers.identity, context)
        boundary = TRUE if layers.boundary is None else self._allowed(layers.boundary, context)
        levels = [self._allowed(level, context) for level in layers.scps or ()]
        worths = {least: some(self._granted(context, least)) for least in (NONE + 1, LIMITED, DIRECT)}
        if not same:
            return every((*levels, worths[NONE + 1], identity, boundary))
        needed = worths[NONE + 1] if needs_resource_policy(case.action, case.resource) else TRUE
        ways = (worths[DIRECT], every((worths[LIMITED], boundary)), every((needed, identity, boundary)))
        return every((*levels, some(ways)))

    def _granted(self, context: Context, least: int) -> Iterator[Formula]:
        """The Allows of the resource's policy that are worth so much to the principal."""
        attached = self.layers.resource
        for rule in attached.program.rules if attached is not None else ():
            if not rule.deny and rule.grantees is not None and rule.grantees.grant(self.case.principal) >= least:
                yield self._matches(rule, context)

    def _allowed(self, group: Iterable[policy.Attached], context: Context) -> Formula:
        rules = [rule for attached in group for rule in attached.program.rules if not rule.deny]
        return some(self._matches(rule, context) for rule in rules if documents.is_of_kind(rule.statement, of_resource=False))

    def _matches(self, rule: Rule, context: Context) -> Formula:
        """A statement matches, but for whom it names, which is known; of what it says of known keys nothing is left to be asked."""
        case = self.case
        known = self._known_context()
        if not rule.covers_action(case.action.lower()):
            return FALSE
        found = []
        if self._are_known(rule.places):
            if not rule.covers_resource(case.resource, known):
                return FALSE
        else:
            found.append(documents.of_resources(rule, context))
        for key, condition, made in rule.tests:
            if not (self._is_known(key) and self._are_known(made.referred)):
                found.append(conditions.of(condition, context, deny=rule.deny, dynamic=rule.dynamic))
            elif not made.test(known):
                return FALSE
        return every(found)

    def _known_context(self) -> policy.Context:
        own = {} if self.case.principal.kind in SESSIONS else {USER_ID: self.case.principal.unique_id}
        return policy.Context({**own, **self.case.fixed})

    def _is_known(self, key: str) -> bool:
        return is_fixed(key, self.case.action) or (key == USER_ID and self.case.principal.kind not in SESSIONS)

    def _are_known(self, variables: Iterable[Variable]) -> bool:
        return all(self._is_known(one.key) for one in variables)

    def _denied(self, context: Context) -> Iterator[Formula]:
        layers = self.layers
        for group in (layers.identity, layers.boundary or (), *(layers.scps or ())):
            for attached in group:
                yield from (self._matches(rule, context) for rule in attached.program.rules if rule.deny)
        restricting = [one for level in layers.rcps or () for one in level]
        for attached in (*restricting, *([layers.resource] if layers.resource is not None else [])):
            for rule in attached.program.rules:
                hits = rule.grantees is None or rule.grantees.denies(self.case.principal, bounded=layers.boundary is not None)
                if rule.deny and hits:
                    yield self._matches(rule, context)

    def _is_confirmed(self, witness: Witness) -> bool:
        principal = self._principal(witness)
        return subjects.is_somebody(principal, self._context(witness).get(USER_ID)) and self._decided(witness).allowed

    def _yes(self, witness: Witness) -> Verdict:
        return Verdict(Answer.YES, Witness(self._principal(witness), self.case.action, self.case.resource, self._context(witness)))

    def _decided(self, witness: Witness) -> policy.Decision:
        case = self.case
        made = policy.Request(self._principal(witness), case.action, case.resource, case.owner, policy.Context(self._context(witness)))
        return policy.decide(made, self.layers)

    def _principal(self, witness: Witness) -> policy.Principal:
        """The principal as whoever it is by its `aws:userid`: what the session is called is one thing, wherever it stands."""
        principal, said = self.case.principal, self._context(witness).get(USER_ID)
        if principal.kind not in SESSIONS or not isinstance(said, str):
            return principal
        return replace(principal, arn=f"{principal.arn.rpartition('/')[0]}/{said.rpartition(':')[2]}")

    def _context(self, witness: Witness) -> dict[str, str | tuple[str, ...]]:
        """The keys of a request: those that are known, and what the witness says of all others."""
        said = {key: value for key, value in witness.context.items() if not is_fixed(key, self.case.action)}
        return {**said, **self._known_context()}


def _is(variable: str, text: str) -> Formula:
    return within(variable, languages.literals([text]))
