"""The character that PostgreSQL has not: refused on both databases, wherever it stands."""

from typing import Any

import pytest

from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS

ARN = "arn:aws:iam::111122223333"


@pytest.mark.parametrize(
    ("name", "fields", "member"),
    [
        ("GetPolicy", {"policy_arn": f"{ARN}:policy/a\0b"}, "policyArn"),
        ("CreatePolicy", {"policy_name": "p", "policy_document": LIST_BUCKETS, "description": "a\0b"}, "description"),
        ("GetOpenIDConnectProvider", {"open_id_connect_provider_arn": f"{ARN}:oidc-provider/a\0b"}, "openIdConnectProviderArn"),
        ("CreateOpenIDConnectProvider", {"url": "https://a.example.com", "client_id_list": ["a", "b\0"]}, "clientIdList"),
        ("CreateSAMLProvider", {"name": "n", "saml_metadata_document": "\0" * 1000}, "samlMetadataDocument"),
        ("SimulatePrincipalPolicy", {"policy_source_arn": f"{ARN}:user/a\0b", "action_names": ["s3:GetObject"]}, "policySourceArn"),
        ("GenerateServiceLastAccessedDetails", {"arn": f"{ARN}:user/a\0b"}, "arn"),
        ("GetServiceLastAccessedDetails", {"job_id": "\0" * 36}, "jobId"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_refused(refused: Refused, name: str, fields: dict[str, Any], member: str) -> None:
    code, message = refused(name, **fields)
    assert (code, message.endswith(f"at '{member}' failed to satisfy constraint: Member must not contain the character U+0000")) == (
        "ValidationError",
        True,
    )
