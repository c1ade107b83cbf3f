"""Managed policies by ARN: those of the caller's account, and those of the account `aws`, which everybody may use and nobody may change."""

from typing import Any

from sqlalchemy import select

from sekisho import arn
from sekisho.arn import Arn
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
def policy(call: Call, request: Any, field: str) -> Resource:
    """The policy that the request names; one that does not exist has no tags."""
    named = getattr(request, field)
    row = lookup(call, named)
    return entities.seen(call, row) if row is not None else Resource(named)


@resource("policy-name")
def policy_name(call: Call, request: Any, field: str) -> Resource:
    """The policy that the request is to make."""
    return entities.resource(call, Policy, request, getattr(request, field))


def lookup(call: Call, text: str, *, wrong: type[InvalidArgument] = ValidationError) -> Policy | None:
    """The policy of an ARN; path and spelling must be its own. What is no ARN of a policy is `wrong`."""
    parsed = _parsed(text, wrong)
    if parsed.account not in (call.account_id, AWS):
        return None
    path, _, name = parsed.resource.removeprefix("policy").rpartition("/")
    query = select(Policy).where(Policy.account_id == parsed.account, Policy.kind == "policy", Policy.name_key == name.lower())
    row = call.session.scalars(query).one_or_none()
    return row if row is not None and row.name == name and row.path == f"{path}/" else None


def find(call: Call, text: str, *, sentence: str = NOT_FOUND, wrong: type[InvalidArgument] = ValidationError) -> Policy:
    """The policy of an ARN, or NoSuchEntity in the sentence given."""
    row = lookup(call, text, wrong=wrong)
    if row is None:
        raise NoSuchEntity(sentence.format(text))
    return row


def own(call: Call, text: str, *, sentence: str = NOT_FOUND) -> Policy:
    """The policy of an ARN, for a change: AccessDenied for those of the account `aws`."""
    row = find(call, text, sentence=sentence)
    if row.account_id != call.account_id:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action} on resource: policy {text}")
    return row


def _parsed(text: str, wrong: type[InvalidArgument]) -> Arn:
    try:
        parsed = arn.parse(text)
    except InvalidArn:
        raise wrong("Invalid ARN:  Could not be parsed!") from None  # both blanks are AWS's
    kind, _, name = parsed.resource.partition("/")
    if (parsed.partition, parsed.service, parsed.region, kind) != (arn.PARTITION, "iam", "", "policy") or not name:
        raise wrong(f"ARN {text} is not valid.")
    return parsed
