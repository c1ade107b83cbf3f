"""Which members each answer has, written out: those of AWS's own answers about things without tags, descriptions or policies.

`presence.tsv` says what the gateway decides; here stands what comes of it, with the functions' part. Sources: answers of AWS that
LocalStack's tests recorded (`*.snapshot.json`, 2024 to 2026), and the samples of AWS's API reference for what they do not have.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.edges.aws.wire import Answer
from sekisho.services.iam import managed_policies
from tests import harness
from tests.services.iam import documents, pki
from tests.services.iam.test_saml_providers import metadata
from tests.wire import shapes, world
from tests.wire.edge import Edge

USER = "Arn CreateDate Path UserId UserName"
GROUP = "Arn CreateDate GroupId GroupName Path"
ROLE = "Arn AssumeRolePolicyDocument CreateDate Path RoleId RoleName"
POLICY = "Arn AttachmentCount CreateDate DefaultVersionId IsAttachable Path PermissionsBoundaryUsageCount PolicyId PolicyName UpdateDate"
PROFILE = "Arn CreateDate InstanceProfileId InstanceProfileName Path Roles"
CERTIFICATE = "Arn Expiration Path ServerCertificateId ServerCertificateName UploadDate"
SSH_KEY = "SSHPublicKeyId Status UploadDate UserName"
SIGNING = "CertificateBody CertificateId Status UploadDate UserName"
SERVICE = "CreateDate ServiceName ServiceSpecificCredentialId ServiceUserName Status UserName"
RESULT = "EvalActionName EvalDecision EvalDecisionDetails EvalResourceName MatchedStatements MissingContextValues"
OF_RESOURCE = "EvalDecisionDetails EvalResourceDecision EvalResourceName MatchedStatements MissingContextValues"

ANSWERS: dict[str, dict[str, str]] = {
    "CreateUser": {"": "User", "User": USER},
    "GetUser": {"": "User", "User": USER},
    "ListUsers": {"": "IsTruncated Users", "Users": USER},
    "CreateGroup": {"": "Group", "Group": GROUP},
    "GetGroup": {"": "Group IsTruncated Users", "Group": GROUP, "Users": USER},
    "ListGroups": {"": "Groups IsTruncated", "Groups": GROUP},
    "ListGroupsForUser": {"": "Groups IsTruncated", "Groups": GROUP},
    "CreateRole": {"": "Role", "Role": ROLE},
    "GetRole": {"": "Role", "Role": f"{ROLE} MaxSessionDuration RoleLastUsed", "Role.RoleLastUsed": ""},
    "ListRoles": {"": "IsTruncated Roles", "Roles": f"{ROLE} MaxSessionDuration"},
    "UpdateRole": {"": ""},
    "UpdateRoleDescription": {"": "Role", "Role": f"{ROLE} Description"},
    "CreateServiceLinkedRole": {"": "Role", "Role": ROLE},
    "CreatePolicy": {"": "Policy", "Policy": POLICY},
    "GetPolicy": {"": "Policy", "Policy": f"{POLICY} Tags"},
    "ListPolicies": {"": "IsTruncated Policies", "Policies": POLICY},
    "CreatePolicyVersion": {"": "PolicyVersion", "PolicyVersion": "CreateDate IsDefaultVersion VersionId"},
    "GetPolicyVersion": {"": "PolicyVersion", "PolicyVersion": "CreateDate Document IsDefaultVersion VersionId"},
    "ListPolicyVersions": {"": "IsTruncated Versions", "Versions": "CreateDate IsDefaultVersion VersionId"},
    "ListEntitiesForPolicy": {"": "IsTruncated PolicyGroups PolicyRoles PolicyUsers"},
    "GetUserPolicy": {"": "PolicyDocument PolicyName UserName"},
    "GetGroupPolicy": {"": "GroupName PolicyDocument PolicyName"},
    "GetRolePolicy": {"": "PolicyDocument PolicyName RoleName"},
    "ListUserPolicies": {"": "IsTruncated PolicyNames"},
    "ListAttachedUserPolicies": {"": "AttachedPolicies IsTruncated"},
    "ListUserTags": {"": "IsTruncated Tags"},
    "ListRoleTags": {"": "IsTruncated Tags"},
    "CreateInstanceProfile": {"": "InstanceProfile", "InstanceProfile": PROFILE},
    "GetInstanceProfile": {"": "InstanceProfile", "InstanceProfile": f"{PROFILE} Tags", "InstanceProfile.Roles": ROLE},
    "ListInstanceProfiles": {"": "InstanceProfiles IsTruncated", "InstanceProfiles": PROFILE, "InstanceProfiles.Roles": ROLE},
    "ListInstanceProfilesForRole": {"": "InstanceProfiles IsTruncated", "InstanceProfiles": PROFILE, "InstanceProfiles.Roles": ROLE},
    "CreateAccessKey": {"": "AccessKey", "AccessKey": "AccessKeyId CreateDate SecretAccessKey Status UserName"},
    "ListAccessKeys": {"": "AccessKeyMetadata IsTruncated", "AccessKeyMetadata": "AccessKeyId CreateDate Status UserName"},
    "GetAccessKeyLastUsed": {"": "AccessKeyLastUsed UserName", "AccessKeyLastUsed": "Region ServiceName"},
    "CreateLoginProfile": {"": "LoginProfile", "LoginProfile": "CreateDate PasswordResetRequired UserName"},
    "GetLoginProfile": {"": "LoginProfile", "LoginProfile": "CreateDate PasswordResetRequired UserName"},
    "GetAccountPasswordPolicy": {
        "": "PasswordPolicy",
        "PasswordPolicy": (
            "AllowUsersToChangePassword ExpirePasswords MinimumPasswordLength RequireLowercaseCharacters RequireNumbers RequireSymbols "
            "RequireUppercaseCharacters"
        ),
    },
    "CreateVirtualMFADevice": {"": "VirtualMFADevice", "VirtualMFADevice": "Base32StringSeed QRCodePNG SerialNumber"},
    "ListVirtualMFADevices": {"": "IsTruncated VirtualMFADevices", "VirtualMFADevices": "SerialNumber"},
    "ListMFADevices": {"": "IsTruncated MFADevices"},
    "UploadServerCertificate": {"": "ServerCertificateMetadata", "ServerCertificateMetadata": CERTIFICATE},
    "GetServerCertificate": {
        "": "ServerCertificate",
        "ServerCertificate": "CertificateBody ServerCertificateMetadata Tags",
        "ServerCertificate.ServerCertificateMetadata": CERTIFICATE,
    },
    "ListServerCertificates": {"": "IsTruncated ServerCertificateMetadataList", "ServerCertificateMetadataList": CERTIFICATE},
    "UploadSSHPublicKey": {"": "SSHPublicKey", "SSHPublicKey": f"Fingerprint SSHPublicKeyBody {SSH_KEY}"},
    "ListSSHPublicKeys": {"": "IsTruncated SSHPublicKeys", "SSHPublicKeys": SSH_KEY},
    "UploadSigningCertificate": {"": "Certificate", "Certificate": SIGNING},
    "ListSigningCertificates": {"": "Certificates IsTruncated", "Certificates": SIGNING},
    "ListServiceSpecificCredentials": {"": "IsTruncated ServiceSpecificCredentials", "ServiceSpecificCredentials": SERVICE},
    "CreateOpenIDConnectProvider": {"": "OpenIDConnectProviderArn"},
    "GetOpenIDConnectProvider": {"": "ClientIDList CreateDate Tags ThumbprintList Url"},
    "CreateSAMLProvider": {"": "SAMLProviderArn"},
    "GetSAMLProvider": {
        "": "AssertionEncryptionMode CreateDate PrivateKeyList SAMLKeyHashes SAMLMetadataDocument SAMLProviderUUID Tags ValidUntil"
    },
    "ListSAMLProviders": {"": "SAMLProviderList", "SAMLProviderList": "Arn CreateDate ValidUntil"},
    "GetAccountAuthorizationDetails": {
        "": "GroupDetailList IsTruncated Policies RoleDetailList UserDetailList",
        "UserDetailList": f"AttachedManagedPolicies {USER} GroupList Tags UserPolicyList",
        "GroupDetailList": f"AttachedManagedPolicies {GROUP} GroupPolicyList",
        "RoleDetailList": f"AttachedManagedPolicies InstanceProfileList {ROLE} RoleLastUsed RolePolicyList Tags",
        "RoleDetailList.InstanceProfileList": PROFILE,
        "RoleDetailList.InstanceProfileList.Roles": ROLE,
        "Policies": f"{POLICY} PolicyVersionList",
        "Policies.PolicyVersionList": "CreateDate Document IsDefaultVersion VersionId",
    },
    "SimulateCustomPolicy": {
        "": "EvaluationResults IsTruncated",
        "EvaluationResults": f"{RESULT} ResourceSpecificResults",
        "EvaluationResults.ResourceSpecificResults": OF_RESOURCE,
    },
    "GetFederationToken": {
        "": "Credentials FederatedUser PackedPolicySize",
        "Credentials": "AccessKeyId Expiration SecretAccessKey SessionToken",
        "FederatedUser": "Arn FederatedUserId",
    },
    "AssumeRole": {
        "": "AssumedRoleUser Credentials",
        "AssumedRoleUser": "Arn AssumedRoleId",
        "Credentials": "AccessKeyId Expiration SecretAccessKey SessionToken",
    },
    "GetCallerIdentity": {"": "Account Arn UserId"},
}
"""The members by the path of what has them; of a list, of each item."""


@pytest.fixture(scope="module")
def bare(shared: Edge) -> "Bare":
    """An account with one of each thing."""
    return Bare(shared)


class Bare:
    """Things without anything that is not needed to make them; everything is made through the gateway, and each answer kept."""

    def __init__(self, edge: Edge) -> None:
        node = edge.house.node
        managed_policies.load(node.database)
        self._house = harness.House(node, accounts.create(node.database, node.ring))
        self._gateway = edge.of(self._house)
        self.answers: dict[str, Any] = {}
        self._make()

    def _ask(self, name: str, _as: sigv4.Credentials | None = None, **members: Any) -> Any:
        service = world.AWS_OPERATIONS[name].service.model
        reply = self._gateway.call(service, name, members, _as)
        assert reply.status == 200, f"{name}: {reply.code}: {reply.message}"
        parsed = shapes.response(service, name, Answer(reply.status, reply.headers["content-type"].encode(), reply.body.encode()))
        del parsed["ResponseMetadata"]
        self.answers.setdefault(name, parsed)
        return parsed

    def _make(self) -> None:
        ask, account = self._ask, self._house.account_id
        ask("CreateUser", UserName="u")
        ask("CreateGroup", GroupName="g")
        ask("AddUserToGroup", GroupName="g", UserName="u")
        trust = documents.trust(account)
        role = ask("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust, Description="d")["Role"]["Arn"]
        ask("CreateRole", RoleName="bare", AssumeRolePolicyDocument=trust)
        ask("CreateServiceLinkedRole", AWSServiceName="rds.amazonaws.com", Description="d")
        allow = documents.allow("orders:*")
        policy = ask("CreatePolicy", PolicyName="p", PolicyDocument=allow, Description="d")["Policy"]["Arn"]
        bare = ask("CreatePolicy", PolicyName="bare", PolicyDocument=allow)["Policy"]["Arn"]
        ask("CreateInstanceProfile", InstanceProfileName="i")
        ask("AddRoleToInstanceProfile", InstanceProfileName="i", RoleName="bare")
        key = ask("CreateAccessKey", UserName="u")["AccessKey"]
        for kind, name in (("User", "u"), ("Group", "g"), ("Role", "r")):
            fields: dict[str, Any] = {f"{kind}Name": name, "PolicyName": "inline"}
            ask(f"Put{kind}Policy", **fields, PolicyDocument=documents.allow("sts:*"))
            ask(f"Get{kind}Policy", **fields)
        for name, members in self._reads(role, policy, bare, key["AccessKeyId"]):
            ask(name, **members)
        user = sigv4.Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        ask("GetFederationToken", user, Name="federated")
        ask("AssumeRole", user, RoleArn=role, RoleSessionName="session")

    def _reads(self, role: str, policy: str, bare: str, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        server = pki.made("server")
        yield "GetAccessKeyLastUsed", {"AccessKeyId": key}
        yield "CreatePolicyVersion", {"PolicyArn": policy, "PolicyDocument": documents.allow("orders:Get*")}
        yield "GetPolicyVersion", {"PolicyArn": policy, "VersionId": "v1"}
        for name in ("GetPolicy", "ListEntitiesForPolicy", "ListPolicyVersions"):
            yield name, {"PolicyArn": bare}
        yield "ListPolicies", {"Scope": "Local"}
        yield "GetRole", {"RoleName": "bare"}
        yield "UpdateRole", {"RoleName": "r"}
        yield "UpdateRoleDescription", {"RoleName": "r", "Description": ""}
        yield "ListRoleTags", {"RoleName": "bare"}
        yield "GetInstanceProfile", {"InstanceProfileName": "i"}
        yield "ListInstanceProfilesForRole", {"RoleName": "bare"}
        yield "GetGroup", {"GroupName": "g"}
        for name in ("GetUser", "ListAccessKeys", "ListUserPolicies", "ListAttachedUserPolicies", "ListUserTags", "ListGroupsForUser"):
            yield name, {"UserName": "u"}
        yield "CreateLoginProfile", {"UserName": "u", "Password": "Correct-horse-battery-staple-9"}
        yield "GetLoginProfile", {"UserName": "u"}
        yield "UpdateAccountPasswordPolicy", {}
        yield "CreateVirtualMFADevice", {"VirtualMFADeviceName": "m"}
        yield "ListMFADevices", {"UserName": "u"}
        certificate = {"CertificateBody": server.certificate, "PrivateKey": server.private_key}
        yield "UploadServerCertificate", {"ServerCertificateName": "s", **certificate}
        yield "GetServerCertificate", {"ServerCertificateName": "s"}
        yield "UploadSSHPublicKey", {"UserName": "u", "SSHPublicKeyBody": pki.openssh(pki.rsa_public(0))}
        yield "UploadSigningCertificate", {"UserName": "u", "CertificateBody": pki.made("first").certificate}
        yield "CreateServiceSpecificCredential", {"UserName": "u", "ServiceName": "codecommit.amazonaws.com"}
        yield "CreateOpenIDConnectProvider", {"Url": "https://idp.example.com"}
        yield (
            "GetOpenIDConnectProvider",
            {"OpenIDConnectProviderArn": f"arn:aws:iam::{self._house.account_id}:oidc-provider/idp.example.com"},
        )
        yield "CreateSAMLProvider", {"Name": "idp", "SAMLMetadataDocument": metadata()}
        yield "GetSAMLProvider", {"SAMLProviderArn": f"arn:aws:iam::{self._house.account_id}:saml-provider/idp"}
        yield "SimulateCustomPolicy", {"PolicyInputList": [documents.allow("s3:*")], "ActionNames": ["sqs:Send"], "ResourceArns": [role]}
        for name in ("SSHPublicKeys", "SigningCertificates", "ServiceSpecificCredentials"):
            yield f"List{name}", {"UserName": "u"}
        for name in (
            "ListUsers", "ListGroups", "ListRoles", "ListInstanceProfiles", "ListVirtualMFADevices", "ListServerCertificates",
            "ListSAMLProviders", "GetAccountPasswordPolicy", "GetAccountAuthorizationDetails", "GetCallerIdentity",
        ):  # fmt: skip
            yield name, {}


def found(answer: Any, path: str) -> list[set[str]]:
    """The names of the members of all that is at a path."""
    at = [answer]
    for name in path.split(".") if path else ():
        inner = [one[name] for one in at]
        at = [item for one in inner for item in (one if isinstance(one, list) else [one])]
    return [set(one) for one in at]


PLACES = [(name, path) for name, places in ANSWERS.items() for path in places]
DESCRIBED = {("ListRoles", "Roles")}
"""Where some have a description, and it is told."""


@pytest.mark.parametrize(("name", "path"), PLACES, ids=[f"{name}-{path}" if path else name for name, path in PLACES])
def test_an_answer_has_the_members_that_aws_sends(name: str, path: str, bare: Bare) -> None:
    told = {"Description"} if (name, path) in DESCRIBED else set()
    each = found(bare.answers[name], path)
    assert each
    for members in each:
        assert members - told == set(ANSWERS[name][path].split())


def test_every_operation_sends_what_its_model_requires(bare: Bare) -> None:
    """Of the operations that are not written out above, too."""

    def check(value: Any, shape: Any, where: str) -> None:
        if shape.type_name == "structure":
            assert set(shape.required_members) <= set(value), where
            for name, inner in value.items():
                check(inner, shape.members[name], f"{where}.{name}")
        elif shape.type_name == "list":
            for item in value:
                check(item, shape.member, where)

    assert len(bare.answers) > 60
    for name, answer in bare.answers.items():
        shape = shapes.model(world.AWS_OPERATIONS[name].service.model).operation_model(name).output_shape
        if shape is not None:
            check(answer, shape, name)
