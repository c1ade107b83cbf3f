"""What a policy grants, proved. What cannot be proved fails the check, and says so.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-custom-policy-checks.html
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sekisho.api.analyzer.v1 import policy_checks_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import MalformedPolicyDocument
from sekisho.operations import operation
from sekisho.policy import document, validate
from sekisho.policy.validate import Kind
from sekisho.services.analyzer import questions
from sekisho.services.analyzer.errors import InvalidParameter, Validation
from sekisho.services.analyzer.policy_validation import TRUST

if TYPE_CHECKING:  # a server without the solver does without it
    from sekisho.analysis.solver import Verdict

_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "IDENTITY_POLICY": (Kind.IDENTITY,),
    "RESOURCE_POLICY": (Kind.RESOURCE, Kind.TRUST),
}
"""The kinds of documents that a type of policy is, the usual one first: a trust policy is a resource policy without resources."""

_UNPROVED = "The check could not be completed, so it failed: {}"


@operation
def check_no_new_access(call: Call, request: pb.CheckNoNewAccessRequest) -> pb.CheckNoNewAccessResponse:
    """Compared with another policy of the same type."""
    _refuse_malformed(request.existing_policy_document, request.policy_type, "existingPolicyDocument")
    _refuse_malformed(request.new_policy_document, request.policy_type, "newPolicyDocument")
    verdict = questions.new_access(call, request.existing_policy_document, request.new_policy_document, request.policy_type)
    said = _Said(
        no="The modified permissions do not grant new access compared to your existing policy.",
        yes="The modified permissions grant new access compared to your existing policy.",
        reason="New access in the statement with {}.",
    )
    return pb.CheckNoNewAccessResponse(**said.members(verdict, request.new_policy_document))


@operation
def check_access_not_granted(call: Call, request: pb.CheckAccessNotGrantedRequest) -> pb.CheckAccessNotGrantedResponse:
    """Any of the actions on any of the resources; without resources on all, without actions any."""
    _refuse_malformed(request.policy_document, request.policy_type, "policyDocument")
    accesses = [(one.actions, one.resources) for one in request.access]
    if not any(one.actions or one.resources for one in request.access):
        raise Validation("access must have at least one action or resource.")
    verdict = questions.granted(call, request.policy_document, accesses, request.policy_type)
    said = _Said(
        no="The policy document does not grant access to perform one or more of the listed actions or resources.",
        yes="The policy document grants access to perform one or more of the listed actions or resources.",
        reason="One or more of the listed actions or resources in the statement with {}.",
    )
    return pb.CheckAccessNotGrantedResponse(**said.members(verdict, request.policy_document))


@operation
def check_no_public_access(call: Call, request: pb.CheckNoPublicAccessRequest) -> pb.CheckNoPublicAccessResponse:
    """By the policy alone, whatever blocks public access beside it."""
    kind = Kind.TRUST if request.resource_type == TRUST else Kind.RESOURCE
    _refuse_malformed(request.policy_document, "RESOURCE_POLICY", "policyDocument", kind)
    verdict = questions.public(call, request.policy_document)
    said = _Said(
        no="The resource policy does not grant public access for the given resource type.",
        yes="The resource policy grants public access for the given resource type.",
        reason="Public access granted in the following statement with {}.",
    )
    return pb.CheckNoPublicAccessResponse(**said.members(verdict, request.policy_document))


class _Said:
    """The sentences of a check."""

    def __init__(self, *, no: str, yes: str, reason: str) -> None:
        self._sentences = {"no": no, "yes": yes}
        self._reason = reason

    def members(self, verdict: "Verdict", text: str) -> dict[str, Any]:
        """The members of an answer."""
        if verdict.answer == "unknown":
            said = _UNPROVED.format(verdict.reason)
            return {"result": "FAIL", "message": said, "reasons": [pb.ReasonSummary(description=said)]}
        found = {"result": "FAIL" if verdict.answer == "yes" else "PASS", "message": self._sentences[verdict.answer]}
        return {**found, "reasons": [self._summary(index, text) for index in verdict.statements]}

    def _summary(self, index: int, text: str) -> pb.ReasonSummary:
        sid = document.parse(text).statements[index].sid
        named = f"sid: {sid}" if sid else f"index: {index}"
        return pb.ReasonSummary(description=self._reason.format(named), statement_index=index, statement_id=sid or None)


def _refuse_malformed(text: str, type_: str, member: str, *kinds: Kind) -> None:
    """InvalidParameter for what is not a policy of the type."""
    said = ""
    for kind in kinds or _KINDS[type_]:
        try:
            validate.check(text, kind)
        except MalformedPolicyDocument as error:
            said = said or error.message
        else:
            return
    raise InvalidParameter(f"{member} is not a valid policy: {said}")
