"""The questions: is there access, and more of it? The evaluator confirms every yes before it is told; what is not certain is unknown.

Sources: https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckNoNewAccess.html, ..._CheckAccessNotGranted.html,
..._CheckNoPublicAccess.html
"""

import enum
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sekisho import policy
from sekisho.analysis.inside import USER_ID
from sekisho.analysis.solver import documents, shapes, subjects, witnesses
from sekisho.analysis.solver.contexts import Context
from sekisho.analysis.solver.effort import Effort, TooHard
from sekisho.analysis.solver.formulas import Formula, every, no, some, within
from sekisho.analysis.solver.search import Search
from sekisho.analysis.solver.witnesses import Witness
from sekisho.policy import validate
from sekisho.policy.validate import Kind

_ONE = threading.Lock()
"""z3 is asked by one thread at a time: what it makes belongs to one context, which costs more to make than most questions."""
_EXAMPLES = 64
_SMALLER = 32  # keys and values that a witness can lose
_CONFIRMED_WITHIN = 12  # models that the evaluator is asked about before the answer is unknown


class Answer(enum.StrEnum):
    """Whether there is access, or more of it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class PolicyType(enum.StrEnum):
    """The kinds of policies that are asked about, as Access Analyzer names them."""

    IDENTITY = "IDENTITY_POLICY"
    RESOURCE = "RESOURCE_POLICY"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: a request that shows it where it is yes, with the statements that grant it; else why it is not known."""

    answer: Answer
    witness: Witness | None = None
    statements: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Actions and resources, as patterns; without any, all of them."""

    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


def read(document: str, kind: PolicyType) -> policy.Program:
    """The program of a valid document; MalformedPolicyDocument otherwise. Of a resource's policies those of roles name no resource."""
    program = policy.compiled(document)
    if kind is PolicyType.IDENTITY:
        validate.check(document, Kind.IDENTITY)
    else:
        trust = all(rule.statement.resources is None for rule in program.rules)
        validate.check(document, Kind.TRUST if trust else Kind.RESOURCE)
    return program


def new_access(existing: str, new: str, kind: PolicyType, *, milliseconds: int) -> Verdict:
    """Whether the new policy grants a request that the existing one does not."""
    before, after = read(existing, kind), read(new, kind)
    return Question(after, kind, milliseconds, before).asked()


def granted(document: str, accesses: Sequence[Access], kind: PolicyType, *, milliseconds: int) -> Verdict:
    """Whether the policy grants any of the accesses, under whatever conditions."""
    asked = some(every((_actions(access.actions), _resources(access.resources))) for access in accesses)
    return Question(read(document, kind), kind, milliseconds, demands=lambda _: (asked,)).asked()


def _actions(patterns: Sequence[str]) -> Formula:
    return documents.of_actions(patterns) if patterns else every(())


def _resources(listed: Sequence[str]) -> Formula:
    return within(subjects.RESOURCE, shapes.united(map(shapes.of_written_resource, listed))) if listed else every(())


def _nothing(_context: Context) -> Iterable[Formula]:
    return ()


@dataclass(slots=True)
class Question:
    """One question about a policy: does it grant a request that meets the demands, and that another policy does not grant?"""

    program: policy.Program
    kind: PolicyType
    milliseconds: int
    before: policy.Program | None = None
    demands: Callable[[Context], Iterable[Formula]] = _nothing
    restricting: tuple[policy.Program, ...] = ()
    """Resource control policies: what one of them denies is not granted."""

    @property
    def programs(self) -> list[policy.Program]:
        """All policies that have a say."""
        return [self.program, *([self.before] if self.before is not None else []), *self.restricting]

    @property
    def of_resource(self) -> bool:
        """Whether the policies are a resource's."""
        return self.kind is PolicyType.RESOURCE

    def asked(self, effort: Effort | None = None) -> Verdict:
        """The verdict; questions of one effort share it."""
        try:
            with _ONE:
                return self._asked(effort or Effort(self.milliseconds))
        except TooHard as error:
            return Verdict(Answer.UNKNOWN, reason=str(error))

    def _asked(self, effort: Effort) -> Verdict:
        context = Context(self.programs)
        search = Search(self.formulas(context), effort, self.rules)
        tried = 0
        for model in search:
            draft = witnesses.Draft(model, context, effort, *_examples(*self.programs))
            for witness in draft.witnesses():
                if self._is_confirmed(witness):
                    return self._yes(witness)
            tried += 1
            if tried == _CONFIRMED_WITHIN:
                return Verdict(Answer.UNKNOWN, reason="a request was found that the evaluator does not confirm")
            search.rule_out(model.literals)
        if tried or not context.is_whole:
            reason = "some cases could not be told" if tried else "a key with several values is asked by too many conditions"
            return Verdict(Answer.UNKNOWN, reason=reason)
        return Verdict(Answer.NO)

    def _yes(self, witness: Witness) -> Verdict:
        """The answer yes, with the witness as small as it can be."""
        if self.demands is _nothing:  # what else is demanded of a request, only the formulas know
            for _ in range(_SMALLER):
                less = next(filter(self._is_confirmed, witnesses.smaller(witness)), None)
                if less is None:
                    break
                witness = less
        return Verdict(Answer.YES, witness, witnesses.granting(self.program, witness, of_resource=self.of_resource))

    def formulas(self, context: Context) -> list[Formula]:
        """What a request must be that answers the question with yes, beside what holds for all requests (`rules`)."""
        of_resource = self.of_resource
        wanted = documents.grants(self.program, context, of_resource=of_resource)
        known = [no(documents.grants(self.before, context, of_resource=of_resource))] if self.before is not None else []
        known += [no(documents.denies(one, context)) for one in self.restricting]
        # What needs no permission, and cannot be denied, is granted by no policy.
        action = [within(subjects.ACTION, shapes.ACTION), no(within(subjects.ACTION, _NEEDS_NOTHING))]
        return [wanted, *known, *self.demands(context), *action, *context.rules()]

    @property
    def rules(self) -> tuple[Formula, ...]:
        """What holds for whoever asks."""
        return subjects.rules(subjects.KINDS if self.of_resource else subjects.OF_IDENTITY)

    def _is_confirmed(self, witness: Witness) -> bool:
        if not subjects.is_somebody(witness.principal, witness.context.get(USER_ID)):
            return False
        if not witnesses.is_granted(self.program, witness, of_resource=self.of_resource):
            return False
        if any(_is_denied(one, witness) for one in self.restricting):
            return False
        return self.before is None or witnesses.is_granted(self.before, witness, of_resource=self.of_resource) is False


def _is_denied(restricting: policy.Program, witness: Witness) -> bool:
    """Whether a resource control policy denies a request, as the evaluator has it; so it is where that could not be decided."""
    made = policy.Request(witness.principal, witness.action, witness.resource, witnesses.OTHER_OWNER, policy.Context(witness.context))
    decision = policy.decide(made, policy.Layers(rcps=((policy.Attached(restricting, name="document"),),)))
    return bool(decision.error) or decision.layer is policy.Layer.RCP


_NEEDS_NOTHING = shapes.united([shapes.of_action("sts:GetCallerIdentity")])


def _examples(*programs: policy.Program) -> tuple[dict[str, str], list[str]]:
    """Actions as policies write them, by their lower case; and resources that are nearly as they write them."""
    statements = [rule.statement for program in programs for rule in program.rules]
    actions = {action.lower(): action for action in witnesses.ACTIONS}
    actions |= {pattern.lower(): pattern for statement in statements for pattern in statement.actions}
    resources = (text for statement in statements for text in statement.resources or () if "${" not in text and text != "*")
    return actions, list(dict.fromkeys(text.replace("*", "example").replace("?", "x") for text in resources))[:_EXAMPLES]
