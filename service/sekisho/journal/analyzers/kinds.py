"""Kinds of analyzers, and the types of what they look at."""

from sekisho.journal.trail.resources import data_type
from sekisho.store.tables import Analyzer

EXTERNAL, INTERNAL, UNUSED = "external", "internal", "unused"

_TYPES = {
    ("ec2", "snapshot"): "AWS::EC2::Snapshot",
    ("ecr", "repository"): "AWS::ECR::Repository",
    ("elasticfilesystem", "file-system"): "AWS::EFS::FileSystem",
    ("lambda", "layer"): "AWS::Lambda::LayerVersion",
    ("rds", "cluster-snapshot"): "AWS::RDS::DBClusterSnapshot",
    ("rds", "snapshot"): "AWS::RDS::DBSnapshot",
    ("s3express", "bucket"): "AWS::S3Express::DirectoryBucket",
    ("secretsmanager", "secret"): "AWS::SecretsManager::Secret",
}
"""Access Analyzer's types that are not made of the ARN, by service and the ARN's own type."""


def kind_of(row: Analyzer) -> str:
    """What an analyzer looks for: access from outside, from inside, or that nobody uses."""
    return UNUSED if row.type.endswith("UNUSED_ACCESS") else INTERNAL if row.type.endswith("INTERNAL_ACCESS") else EXTERNAL


def type_of(service: str, text: str) -> str:
    """The type of a registered resource: Access Analyzer's, else one of the same form."""
    named = text.split(":", 5)[5].replace(":", "/") if text.count(":") > 4 else ""
    if service == "dynamodb" and "/stream/" in named:
        return "AWS::DynamoDB::Stream"
    return _TYPES.get((service, named.partition("/")[0])) or data_type(service, text)


def services_of(type_: str) -> tuple[str, ...]:
    """The services whose resources can be of a type."""
    found = tuple(service for (service, _), name in _TYPES.items() if name == type_)
    return found or (type_.split("::")[1].lower(),)
