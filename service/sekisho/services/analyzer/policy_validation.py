"""What there is to say about a policy: the findings of `policy.validate`, in Access Analyzer's classes and codes, with their places.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
"""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping

from sekisho.api.analyzer.v1 import policy_validation_pb2 as pb
from sekisho.calls.call import Call
from sekisho.calls.turns import Turns
from sekisho.operations import operation
from sekisho.policy import positions, strict_json, validate
from sekisho.policy.validate import Finding, Kind, Severity
from sekisho.services.analyzer import pages
from sekisho.services.analyzer.errors import Validation

_PAGE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
_CLASSES: Mapping[Severity, str] = {
    Severity.ERROR: "error",
    Severity.SECURITY_WARNING: "security-warning",
    Severity.WARNING: "general-warning",
    Severity.SUGGESTION: "suggestion",
}
"""What AWS's page calls the classes in its anchors."""

_KINDS: Mapping[str, Kind] = {
    "IDENTITY_POLICY": Kind.IDENTITY,
    "RESOURCE_POLICY": Kind.RESOURCE,
    "SERVICE_CONTROL_POLICY": Kind.SCP,
    "RESOURCE_CONTROL_POLICY": Kind.RCP,
}
_turns = Turns()
"""One policy of a worker is validated at a time; then it is another account's turn."""
TRUST = "AWS::IAM::AssumeRolePolicyDocument"
_STEP = re.compile(r'\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


@operation
def validate_policy(call: Call, request: pb.ValidatePolicyRequest) -> pb.ValidatePolicyResponse:
    """In the order of the text. Findings are in English, whatever the locale."""
    if request.HasField("validate_policy_resource_type") and request.policy_type != "RESOURCE_POLICY":
        raise Validation("validatePolicyResourceType is for resource policies alone.")
    kind = Kind.TRUST if request.validate_policy_resource_type == TRUST else _KINDS[request.policy_type]
    with _turns.turn(call.account_id, call.deadline):
        found = pages.cut(call, request, validate.findings(request.policy_document, kind))
        places = _Places(request.policy_document)
        return pb.ValidatePolicyResponse(findings=[_message(one, places) for one in found.rows], next_token=found.marker)


def _message(finding: Finding, places: "_Places") -> pb.ValidatePolicyFinding:
    anchor = f"#access-analyzer-reference-policy-checks-{_CLASSES[finding.severity]}-{finding.issue.lower().replace('_', '-')}"
    return pb.ValidatePolicyFinding(
        finding_details=finding.message,
        finding_type=finding.severity.value,
        issue_code=finding.issue,
        learn_more_link=_PAGE + (anchor if validate.is_aws(finding.issue) else ""),
        locations=[places.location(finding)],
    )


class _Places:
    """The places of one text."""

    def __init__(self, text: str) -> None:
        self._length, self._extents = len(text), positions.Extents(text)
        self._lines = [0, *(mark.end() for mark in re.finditer("\n", text))]

    def location(self, finding: Finding) -> pb.Location:
        """Where a finding is: from the beginning to the end of the value, or the point where the text is no JSON any more."""
        path = _path(finding.path)
        begin = min(self._lines[finding.line - 1] + finding.column - 1, self._length)
        end = max(begin, self._extents.end(path)) if self._extents.begin(path) == begin else begin
        elements = [pb.PathElement(index=step) if isinstance(step, int) else pb.PathElement(value=step) for step in path]
        return pb.Location(path=elements, span=pb.Span(start=self._position(begin), end=self._position(end)))

    def _position(self, offset: int) -> pb.Position:
        """Lines count from 1, columns and offsets from 0."""
        line = bisect_right(self._lines, offset)
        return pb.Position(line=line, column=offset - self._lines[line - 1], offset=offset)


def _path(shown: str) -> strict_json.Path:
    """The path that a finding shows: `$.Statement[0].Condition["ForAnyValue:StringLike"]`."""
    steps: list[str | int] = []
    for name, index, quoted in _STEP.findall(shown):
        steps.append(int(index) if index else json.loads(quoted) if quoted else name)
    return tuple(steps)
