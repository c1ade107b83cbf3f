"""What a proposed configuration comes to: one policy that says all that decides about the resource.

An entry of an access control list, a grant of a key, and an account that a snapshot is shared with become statements beside the policy, so
that a Deny in it holds for them too. What has no meaning here is refused with a word on it, never left out: access points, the ids of
canonical users, and keys of encryption, which have policies of their own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sekisho.api.analyzer.v1 import configurations_pb2 as pb
from sekisho.journal.analyzers.sources import ROLE
from sekisho.services.analyzer.errors import NOT_SUPPORTED, Validation

POLICY, ACL = "POLICY", "BUCKET_ACL"
"""Sources of findings."""

MOST = 100
"""Entries, grants and accounts of one configuration."""

_GROUPS = "http://acs.amazonaws.com/groups/"
_READ = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions")
_WRITE = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject")
_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "READ": _READ,
    "WRITE": _WRITE,
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
    "FULL_CONTROL": (*_READ, *_WRITE, "s3:GetBucketAcl", "s3:PutBucketAcl"),
}
"""Actions by the permission of an entry: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html"""
_SNAPSHOT = ("ec2:CopySnapshot", "ec2:CreateVolume")
_DB_SNAPSHOT = ("rds:CopyDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot")
_DB_CLUSTER_SNAPSHOT = ("rds:CopyDBClusterSnapshot", "rds:RestoreDBClusterFromSnapshot")

Statement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proposed:
    """`policy` is None where it stays as it is; `statements` stand for what is no policy, and come from `source`. `is_closed`: where the
    policy lets in the public, it lets in nobody from outside.
    """

    type: str
    policy: str | None = None
    statements: tuple[Statement, ...] = ()
    source: str = POLICY
    is_closed: bool = False


def with_statements(proposed: Proposed, document: str) -> str:
    """All that would permit anything as one document; empty where nothing does."""
    if not proposed.statements:
        return document
    value: Any = json.loads(document) if document else {"Version": "2012-10-17", "Statement": []}
    written = value["Statement"] if isinstance(value["Statement"], list) else [value["Statement"]]
    return json.dumps({**value, "Statement": [*written, *proposed.statements]})


def of(configuration: pb.Configuration, resource: str) -> Proposed:
    """What the configuration that is set comes to; Validation where something in it has no meaning here."""
    set_ = [field.name for field, _ in configuration.ListFields()]
    if len(set_) != 1:
        raise Validation("A configuration is one of one type of resource.")
    (name,) = set_
    held: Any = getattr(configuration, name)
    return _MADE[name](held, resource)


def _of_policy(field: str, type_: str) -> Callable[[Any, str], Proposed]:
    """A configuration that is a policy."""

    def made(held: Any, _resource: str) -> Proposed:
        others = [one.name for one, _ in held.ListFields() if one.name != field]
        if others:
            raise Validation(_REFUSED[others[0]], NOT_SUPPORTED)
        return Proposed(type_, getattr(held, field) if held.HasField(field) else None)

    return made


def _bucket(held: pb.S3BucketConfiguration, resource: str) -> Proposed:
    if held.access_points:
        raise Validation(_REFUSED["access_points"], NOT_SUPPORTED)
    block = held.bucket_public_access_block
    statements = []
    for entry in _few(held.bucket_acl_grants, "bucketAclGrants"):
        group = entry.grantee.uri.removeprefix(_GROUPS)
        if not entry.grantee.uri or group not in ("global/AllUsers", "global/AuthenticatedUsers", "s3/LogDelivery"):
            named = entry.grantee.id or entry.grantee.uri
            raise Validation(f"bucketAclGrants: the grantee {named[:128]} is not known here: only groups of everybody are.", NOT_SUPPORTED)
        if group != "s3/LogDelivery" and not block.ignore_public_acls:
            statements.append(_allowing({"AWS": "*"}, _PERMISSIONS[entry.permission], [resource, f"{resource}/*"]))
    policy = held.bucket_policy if held.HasField("bucket_policy") else None
    return Proposed("AWS::S3::Bucket", policy, tuple(statements), ACL, block.restrict_public_buckets)


def _key(held: pb.KmsKeyConfiguration, _resource: str) -> Proposed:
    if set(held.key_policies) - {"default"}:
        raise Validation("keyPolicies: a key has one policy, whose name is default.")
    statements = []
    for grant in _few(held.grants, "grants"):
        constraints = grant.constraints
        condition = {
            "StringEquals": {
                f"kms:EncryptionContext:{key}": value
                for key, value in (*constraints.encryption_context_equals.items(), *constraints.encryption_context_subset.items())
            }
        }
        more = {"Condition": condition} if condition["StringEquals"] else {}
        statements.append(_allowing(_principal(grant.grantee_principal), [f"kms:{one}" for one in grant.operations], "*", **more))
        if grant.HasField("retiring_principal"):
            statements.append(_allowing(_principal(grant.retiring_principal), ["kms:RetireGrant"], "*"))
    return Proposed("AWS::KMS::Key", held.key_policies.get("default"), tuple(statements))


def _snapshot(held: pb.EbsSnapshotConfiguration, _resource: str) -> Proposed:
    if held.kms_key_id:
        raise Validation(_REFUSED["kms_key_id"], NOT_SUPPORTED)
    if set(held.groups) - {"all"}:
        raise Validation("groups: the only group is all.")
    return _as_shared("AWS::EC2::Snapshot", held.user_ids, "userIds", _SNAPSHOT, everybody=bool(held.groups))


def _of_database(type_: str, actions: tuple[str, ...]) -> Callable[[Any, str], Proposed]:
    def made(held: Any, _resource: str) -> Proposed:
        if held.kms_key_id:
            raise Validation(_REFUSED["kms_key_id"], NOT_SUPPORTED)
        if set(held.attributes) - {"restore"}:
            raise Validation("attributes: the only attribute of a snapshot is restore.")
        accounts = list(held.attributes["restore"].account_ids) if "restore" in held.attributes else []
        others = [one for one in accounts if one != "all"]
        return _as_shared(type_, others, "accountIds", actions, everybody=len(others) < len(accounts))

    return made


def _as_shared(type_: str, accounts: Iterable[str], field: str, actions: Iterable[str], *, everybody: bool) -> Proposed:
    """A resource that is shared with accounts; where none is named, it stays as it is."""
    principals = [*_few(list(accounts), field), *(["*"] if everybody else [])]
    return Proposed(type_, "" if principals else None, tuple(_allowing({"AWS": one}, actions, "*") for one in principals))


def _few(listed: Any, field: str) -> Any:
    if len(listed) > MOST:
        raise Validation(f"{field} has up to {MOST} entries here.")
    return listed


def _principal(text: str) -> Mapping[str, str]:
    return {"Service": text} if ":" not in text and text.endswith(".amazonaws.com") else {"AWS": text}


def _allowing(principal: Mapping[str, str], actions: Iterable[str], resource: Any, **more: Any) -> Statement:
    return {"Effect": "Allow", "Principal": principal, "Action": sorted(actions), "Resource": resource, **more}


_REFUSED = {
    "access_points": "accessPoints has no meaning here: no access points are known, and each has a policy of its own.",
    "kms_key_id": "kmsKeyId has no meaning here: the policy of the key that encrypts a resource decides about it, too, and is not asked.",
}
"""Why members of configurations are refused, rather than left out silently."""
_MADE: Mapping[str, Callable[[Any, str], Proposed]] = {
    "iam_role": _of_policy("trust_policy", ROLE),
    "dynamodb_stream": _of_policy("stream_policy", "AWS::DynamoDB::Stream"),
    "dynamodb_table": _of_policy("table_policy", "AWS::DynamoDB::Table"),
    "ebs_snapshot": _snapshot,
    "ecr_repository": _of_policy("repository_policy", "AWS::ECR::Repository"),
    "efs_file_system": _of_policy("file_system_policy", "AWS::EFS::FileSystem"),
    "kms_key": _key,
    "rds_db_cluster_snapshot": _of_database("AWS::RDS::DBClusterSnapshot", _DB_CLUSTER_SNAPSHOT),
    "rds_db_snapshot": _of_database("AWS::RDS::DBSnapshot", _DB_SNAPSHOT),
    "s3_bucket": _bucket,
    "s3_express_directory_bucket": _of_policy("bucket_policy", "AWS::S3Express::DirectoryBucket"),
    "secrets_manager_secret": _of_policy("secret_policy", "AWS::SecretsManager::Secret"),
    "sns_topic": _of_policy("topic_policy", "AWS::SNS::Topic"),
    "sqs_queue": _of_policy("queue_policy", "AWS::SQS::Queue"),
}
"""By the member of the configuration."""
