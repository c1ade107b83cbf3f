"""Certificates, keys, providers and the simulator over gRPC and over HTTP: what users and accounts have beside policies."""

from dataclasses import dataclass
from typing import Any

import pytest

from sekisho.credentials import accounts
from sekisho.operations import Operation
from sekisho.operations.annotations import Access
from tests import harness
from tests.services.iam import documents, pki
from tests.services.iam.test_saml_providers import metadata
from tests.wire import test_round_trip, world
from tests.wire.edge import Edge

NAMES = [
    "UploadServerCertificate", "GetServerCertificate", "UpdateServerCertificate", "DeleteServerCertificate", "ListServerCertificates",
    "TagServerCertificate", "UntagServerCertificate", "ListServerCertificateTags",
    "UploadSigningCertificate", "UpdateSigningCertificate", "DeleteSigningCertificate", "ListSigningCertificates",
    "UploadSSHPublicKey", "GetSSHPublicKey", "UpdateSSHPublicKey", "DeleteSSHPublicKey", "ListSSHPublicKeys",
    "CreateServiceSpecificCredential", "ListServiceSpecificCredentials", "UpdateServiceSpecificCredential",
    "ResetServiceSpecificCredential", "DeleteServiceSpecificCredential",
    "CreateOpenIDConnectProvider", "GetOpenIDConnectProvider", "ListOpenIDConnectProviders", "DeleteOpenIDConnectProvider",
    "AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider", "UpdateOpenIDConnectProviderThumbprint",
    "TagOpenIDConnectProvider", "UntagOpenIDConnectProvider", "ListOpenIDConnectProviderTags",
    "CreateSAMLProvider", "UpdateSAMLProvider", "GetSAMLProvider", "ListSAMLProviders", "DeleteSAMLProvider",
    "TagSAMLProvider", "UntagSAMLProvider", "ListSAMLProviderTags",
    "SimulateCustomPolicy", "SimulatePrincipalPolicy", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy",
    "ListPoliciesGrantingServiceAccess", "GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails",
    "GetServiceLastAccessedDetailsWithEntities",
]  # fmt: skip
NEW = {
    "UploadServerCertificate": {"server_certificate_name": "new"},
    "UploadSigningCertificate": {"certificate_body": pki.made("second").certificate},
    "UploadSSHPublicKey": {"ssh_public_key_body": pki.openssh(pki.rsa_public(1))},
    "CreateOpenIDConnectProvider": {"url": "https://new.example.com/path"},
    "CreateSAMLProvider": {"name": "new"},
}
"""What is made new, under another name than what is there."""


@dataclass(frozen=True, slots=True)
class Things(world.World):
    """An account with one of each thing."""

    values: dict[str, Any]

    def fields(self, operation: Operation) -> dict[str, Any]:
        """The fields of a request."""
        values = self.values | NEW.get(operation.name, {})
        return {field.name: values[field.name] for field in operation.request.DESCRIPTOR.fields if field.name in values}


def build(house: harness.House) -> Things:
    """One of each."""
    alice = house.user("alice", documents.allow("s3:GetObject", when={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    tags = [{"key": "Department", "value": "R + D"}]
    server, key = pki.made("server"), pki.openssh(pki.rsa_public(0))
    fields: dict[str, Any] = {"certificate_body": server.certificate, "private_key": server.private_key, "tags": tags}
    house.call("UploadServerCertificate", server_certificate_name="web", path="/edge/", **fields)
    signing = house.call("UploadSigningCertificate", user_name="alice", certificate_body=pki.made("first").certificate).certificate
    ssh = house.call("UploadSSHPublicKey", user_name="alice", ssh_public_key_body=key).ssh_public_key
    service = "codecommit.amazonaws.com"
    login = house.call("CreateServiceSpecificCredential", user_name="alice", service_name=service).service_specific_credential
    oidc = house.call("CreateOpenIDConnectProvider", url="https://idp.example.com", client_id_list=["a", "b"], tags=tags)
    saml = house.call("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), add_private_key=server.private_key, tags=tags)
    user = f"arn:aws:iam::{house.account_id}:user/alice"
    values = {
        "user_name": "alice",
        "server_certificate_name": "web",
        "new_server_certificate_name": "other",
        "path": "/edge/",
        **fields,
        "tag_keys": ["Department"],
        "certificate_id": signing.certificate_id,
        "status": "Inactive",
        "ssh_public_key_id": ssh.ssh_public_key_id,
        "encoding": "PEM",
        "service_name": service,
        "service_specific_credential_id": login.service_specific_credential_id,
        "open_id_connect_provider_arn": oidc.open_id_connect_provider_arn,
        "client_id": "b",
        "client_id_list": ["a", "c"],
        "thumbprint_list": ["a" * 40, "b" * 40],
        "saml_provider_arn": saml.saml_provider_arn,
        "saml_metadata_document": metadata(issuer="https://other.example.com/?a=1&amp;b=2"),
        "policy_input_list": [documents.allow("s3:GetObject", "sts:AssumeRole", when={"StringEquals": {"aws:username": "alice"}})],
        "policy_source_arn": user,
        "action_names": ["s3:GetObject", "s3:PutObject"],
        "resource_arns": ["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/other"],
        "resource_owner": "999988887777",
        "caller_arn": user,
        "context_entries": [{"context_key_name": "s3:max-keys", "context_key_values": ["1", "2"], "context_key_type": "numericList"}],
        "permissions_boundary_policy_input_list": [documents.allow("s3:*")],
        "arn": user,
        "service_namespaces": ["s3", "sqs"],
        "granularity": "ACTION_LEVEL",
        "service_namespace": "s3",
        "job_id": house.call("GenerateServiceLastAccessedDetails", arn=user).job_id,
    }
    return Things(house, alice, "", "", "", values)


@pytest.fixture(scope="module")
def kept(shared: Edge) -> tuple[Things, Things]:
    """A pair for all operations that change nothing."""
    return pair(shared)


def pair(shared: Edge) -> tuple[Things, Things]:
    """Two accounts that are alike, on the same node."""
    node = shared.house.node
    first, second = (build(harness.House(node, accounts.create(node.database, node.ring))) for _ in range(2))
    return first, second


@pytest.mark.parametrize("name", NAMES)
def test_operation_is_answered_alike_over_grpc_and_http(name: str, shared: Edge, kept: tuple[Things, Things]) -> None:
    operation = world.AWS_OPERATIONS[name]
    first, second = pair(shared) if operation.access.level == Access.WRITE else kept
    http = test_round_trip.over_http(second, shared.of(second.house), operation, None)
    assert isinstance(http, dict), http
    assert http == test_round_trip.over_grpc(first, operation, None)
