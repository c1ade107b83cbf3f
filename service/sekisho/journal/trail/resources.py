"""Resources as events show them, and the names by which LookupEvents finds them."""

from sekisho import arn

_TYPES = {
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


def names(resource: Shown) -> tuple[str, ...]:
    """The names by which a resource of an event is looked up: its ARN, and what it is called, which is the last part of that."""
    text = resource["ARN"]
    return tuple(dict.fromkeys((text, text.split(":", 5)[-1].rpartition("/")[2])))
