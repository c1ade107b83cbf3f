"""Resources as events show them, and the names by which LookupEvents finds them."""

import re
from functools import lru_cache

from sekisho import arn

_TYPES = {
    ("access-analyzer", "analyzer"): "AWS::AccessAnalyzer::Analyzer",
    ("account", "account"): "AWS::Organizations::Account",
    ("cloudtrail", "eventdatastore"): "AWS::CloudTrail::EventDataStore",
    ("cloudtrail", "trail"): "AWS::CloudTrail::Trail",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "instance-profile"): "AWS::IAM::InstanceProfile",
    ("iam", "mfa"): "AWS::IAM::MfaDevice",
    ("iam", "oidc-provider"): "AWS::IAM::OpenIdConnectProvider",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "root"): "AWS::Account",
    ("iam", "saml-provider"): "AWS::IAM::SamlProvider",
    ("iam", "server-certificate"): "AWS::IAM::ServerCertificate",
    ("iam", "user"): "AWS::IAM::User",
    ("organizations", "account"): "AWS::Organizations::Account",
    ("organizations", "handshake"): "AWS::Organizations::Handshake",
    ("organizations", "organization"): "AWS::Organizations::Organization",
    ("organizations", "ou"): "AWS::Organizations::OrganizationalUnit",
    ("organizations", "policy"): "AWS::Organizations::Policy",
    ("organizations", "resourcepolicy"): "AWS::Organizations::ResourcePolicy",
    ("organizations", "root"): "AWS::Organizations::Root",
    ("sts", "federated-user"): "AWS::STS::FederatedUser",
}
"""CloudTrail's types, by the service of the ARN and what stands before its first slash."""

Shown = dict[str, str]
"""A resource of an event: `ARN`, `accountId`, `type`; without a type where CloudTrail has none."""


def type_of(text: str) -> str:
    """CloudTrail's type of what an ARN names, empty where it has none."""
    segments = text.split(":", 5)
    return _TYPES.get((segments[2], segments[5].partition("/")[0]), "") if len(segments) == 6 else ""


def shown(text: str) -> Shown:
    """A resource of an event, by its ARN."""
    named = {"ARN": text, "accountId": arn.account_of(text)}
    type_ = type_of(text)
    return {**named, "type": type_} if type_ else named


_CALLED = {"dynamodb": "DynamoDB", "iam": "IAM", "kms": "KMS", "rds": "RDS", "s3": "S3", "sns": "SNS", "sqs": "SQS", "sts": "STS"}
"""Names of services that are not their prefix with a capital letter."""
_OF_DATA = {"sns": "Topic", "sqs": "Queue"}
"""Kinds of resources whose ARNs do not say them."""
_WORD = re.compile(r"[A-Za-z0-9]+")
_MOST_KIND = 64


@lru_cache(maxsize=1024)
def data_type(prefix: str, text: str) -> str:
    """The type of a resource of a data event, `AWS::Shop::Order`: of the action's prefix, and of what stands before the first `/` or `:`
    in the last part of the ARN. `AWS::Shop::Resource` where nothing does, as in `*`. Of S3 it is an object or a bucket, as CloudTrail says.
    """
    service = _CALLED.get(prefix.lower()) or _capital(prefix) or "Resource"
    named = text.split(":", 5)[-1] if text.startswith("arn:") else text
    if service == "S3":
        kind = "Object" if "/" in named else "Bucket"
    else:
        before = re.split("[/:]", named, maxsplit=1)
        kind = _OF_DATA.get(prefix.lower()) or (_capital(before[0]) if len(before) > 1 else "")
    return f"AWS::{service}::{kind or 'Resource'}"


def _capital(text: str) -> str:
    """Words put together: `order-line` is `OrderLine`."""
    return "".join(word[0].upper() + word[1:] for word in _WORD.findall(text))[:_MOST_KIND]


def names(resource: Shown) -> tuple[str, ...]:
    """The names by which a resource of an event is looked up: its ARN, and what it is called, which is the last part of that."""
    text = resource["ARN"]
    return tuple(dict.fromkeys((text, text.split(":", 5)[-1].rpartition("/")[2])))
