"""Managed policies by ARN: those of the caller's account, and those of the account `aws`, which everybody may use and nobody may change."""

from google.protobuf.message import Message

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, InvalidArgument, InvalidArn, ValidationError
from sekisho.operations import Resource, resource
from sekisho.services.iam import entities
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.store.tables import Policy

AWS = "aws"
"""The account of the AWS-managed policies."""

NOT_FOUND = "Policy {} was not found."
NOT_ATTACHABLE = "Policy {} does not exist or is not attachable."


@resource("policy")
def policy(call: Call, request: Message, field: str) -> Resource:
    """The policy that the request names; one that does not exist has no tags."""
    named = getattr(request, field)
    _refuse_others(named, ValidationError)
    return entities.resource_of_arn(call, "policy", named)


@resource("policy-name")
def policy_name(call: Call, request: Message, field: str) -> Resource:
    """The policy that the request is to make."""
    return entities.resource(call, Policy, request, getattr(request, field))


def find(call: Call, text: str, *, sentence: str = NOT_FOUND, wrong: type[InvalidArgument] = ValidationError) -> Policy:
    """The policy of an ARN, or NoSuchEntity in the sentence given. What is no ARN of a policy is `wrong`."""
    _refuse_others(text, wrong)
    row = call.row(Policy, text)
    if row is None:
        raise NoSuchEntity(sentence.format(text))
    return row


def own(call: Call, text: str, *, sentence: str = NOT_FOUND) -> Policy:
    """The policy of an ARN, for a change: AccessDenied for those of the account `aws`."""
    row = find(call, text, sentence=sentence)
    if row.account_id != call.account_id:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action} on resource: policy {text}")
    return row


def _refuse_others(text: str, wrong: type[InvalidArgument]) -> None:
    try:
        arn.parse(text)
    except InvalidArn:
        raise wrong("Invalid ARN:  Could not be parsed!") from None  # both blanks are AWS's
    named = arn.entity(text)
    if named is None or named.kind != "policy":
        raise wrong(f"ARN {text} is not valid.")
