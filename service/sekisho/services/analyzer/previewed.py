"""The resource of a preview, as it would be: whatever its policy alone decides about. What else decides is refused, not left out."""

from collections.abc import Mapping
from typing import Any

from sekisho import arn
from sekisho.api.analyzer.v1 import configurations_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import InvalidArn, MalformedPolicyDocument
from sekisho.journal.analyzers import sources, zones
from sekisho.journal.analyzers.sources import ROLE, Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.policy import validate
from sekisho.policy.validate import Kind
from sekisho.services.analyzer.errors import NOT_SUPPORTED, OTHER, Validation
from sekisho.store.tables import Analyzer

_POLICIES: Mapping[str, tuple[str, str]] = {
    "iam_role": ("trust_policy", ROLE),
    "ecr_repository": ("repository_policy", "AWS::ECR::Repository"),
    "efs_file_system": ("file_system_policy", "AWS::EFS::FileSystem"),
    "secrets_manager_secret": ("secret_policy", "AWS::SecretsManager::Secret"),
    "sns_topic": ("topic_policy", "AWS::SNS::Topic"),
    "sqs_queue": ("queue_policy", "AWS::SQS::Queue"),
    "dynamodb_stream": ("stream_policy", "AWS::DynamoDB::Stream"),
    "dynamodb_table": ("table_policy", "AWS::DynamoDB::Table"),
}
"""Configurations that are a policy: the field that has it, and the type of the resource."""


def find_zone(call: Call, row: Analyzer) -> Trusted:
    """The zone of trust of an analyzer of external access that looks."""
    if row.type not in ("ACCOUNT", "ORGANIZATION"):
        raise Validation("Access previews are for analyzers of external access.", NOT_SUPPORTED)
    found = zones.Zones(call.session).of(row)
    if found is None:
        raise Validation("The analyzer is not active.", OTHER)
    return found


def source(call: Call, trusted: Trusted, given: Mapping[str, pb.Configuration]) -> Source | None:
    """The resource with the policy that it would have; None where that is not a policy."""
    if len(given) != 1:
        raise Validation("An access preview is about one resource.")
    ((text, configuration),) = given.items()
    try:
        named = arn.parse(text)
    except InvalidArn as error:
        raise Validation(error.message) from None
    document, type_ = _policy(configuration)
    existing = sources.get_named(call.session, text, named.account or call.account_id)
    owner = existing.owner if existing is not None else named.account or call.account_id
    if owner not in trusted.accounts:
        raise Validation(f"{text[:256]} is not a resource of the analyzer's zone of trust.", OTHER)
    if (type_ == ROLE) != (named.service == "iam" and named.resource.startswith("role/")):
        raise Validation(f"{text[:256]} is not a resource of type {type_}.")
    if not document:
        if existing is None and type_ == ROLE:
            raise Validation("A trust policy is required for a role that does not exist.")
        return existing or Source(text, text, type_, owner, "")
    try:
        validate.check(document, Kind.TRUST if type_ == ROLE else Kind.RESOURCE)
    except MalformedPolicyDocument:
        return None
    if type_ == ROLE:
        document = sources.trusting(document, sources.named(call.session, sources.ids_in(document)))
    return Source(existing.id if existing is not None else text, text, type_, owner, document)


def _policy(configuration: pb.Configuration) -> tuple[str, str]:
    """The policy of the configuration that is set and the type of its resource; Validation where more than a policy decides."""
    set_ = [field.name for field, _ in configuration.ListFields()]
    if len(set_) != 1:
        raise Validation("A configuration is one of one type of resource.")
    (name,) = set_
    if name not in _POLICIES:
        raise Validation(f"Access previews of {name} are not made here: more than a policy decides about them.", NOT_SUPPORTED)
    field, type_ = _POLICIES[name]
    held: Any = getattr(configuration, name)
    others = [one.name for one, _ in held.ListFields() if one.name != field]
    if others:
        raise Validation(f"{others[0]} has no meaning here, and is not left out silently.", NOT_SUPPORTED)
    return getattr(held, field), type_
