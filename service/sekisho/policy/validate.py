"""Whether a document may be stored, in AWS's words, and what else there is to say about it, in ours.

`check` refuses what CreatePolicy, PutRolePolicy, UpdateAssumeRolePolicy, PutResourcePolicy and the like refuse. Quotas are the callers':
`size` counts for them. `findings` is ValidatePolicy of IAM Access Analyzer: it never refuses.
"""

from collections.abc import Iterator

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import document, steps
from sekisho.policy.checks import actions, conditions, elements, principals, resources, variables
from sekisho.policy.checks.subject import Check, Subject
from sekisho.policy.document import LEGACY, NO_ACTIONS, NO_RESOURCES, SYNTAX, Flaw, Policy
from sekisho.policy.findings import Finding, Severity, findings, is_aws
from sekisho.policy.kinds import Kind
from sekisho.policy.strict_json import size

__all__ = ["Finding", "Kind", "Severity", "check", "findings", "is_aws", "size"]


def _grammar(sentence: str) -> Check:
    def breaches(subject: Subject) -> Iterator[Flaw]:
        return (flaw for flaw in subject.grammar if flaw.sentence == sentence)

    return breaches


# AWS goes through a document once for each of these, so what it complains of is decided by the order here and not by place in the text.
# Learnt from what AWS answers to documents with two faults; where nobody published that, the stage stands where the fault is gravest.
STAGES: tuple[Check, ...] = (
    _grammar(SYNTAX),
    conditions.condition_operator,
    elements.version,
    _grammar(LEGACY),
    resources.legacy_format,
    conditions.condition_values,
    variables.variable_form,
    variables.variable_operator,
    elements.statement_ids,
    elements.statement_id_characters,
    elements.prohibited_resource,
    elements.principal,
    _grammar(NO_ACTIONS),
    resources.resource_format,
    actions.action_format,
    _grammar(NO_RESOURCES),
    elements.resource,
    elements.resource_control,
    actions.assuming_actions,
    principals.principal_format,
)


def check(text: str, kind: Kind) -> Policy:
    """Read a document that is to be of this kind, or raise MalformedPolicyDocument with the sentence that AWS has for it."""
    policy, grammar = document.read_text(text)
    subject = Subject(text, kind, policy, grammar)
    for stage in STAGES:
        steps.step()
        for flaw in stage(subject):
            if flaw.sentence:
                raise MalformedPolicyDocument(flaw.sentence)
    return policy
