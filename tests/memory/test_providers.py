"""Identity providers in memory: what their records say, and how other nodes hear of a change."""

import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import arn
from sekisho.credentials import key_ring
from sekisho.memory import lines
from sekisho.world import OidcProviderRecord, SamlProviderRecord
from tests import harness, nodes
from tests.harness import House
from tests.services.iam import pki
from tests.services.iam.test_saml_providers import DER, metadata

URL = "https://login.example.com/realms/Shop"
THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"
PRIVATE_KEY = pki.made("saml").private_key


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


def record(house: House, named: str) -> Any:
    """The record of a provider's ARN, as new as the last write."""
    house.node.feed.wait_for(house.revision, time.monotonic() + 60)
    parsed = arn.entity(named)
    assert parsed is not None
    id_ = house.node.world.get_id(parsed)
    return house.node.world.get_record(id_) if id_ is not None else None


def oidc(house: House, **fields: Any) -> str:
    """The ARN of a new OpenID Connect provider."""
    given = {"url": URL, "client_id_list": ["shop", "till"], "thumbprint_list": [THUMBPRINT], **fields}
    made: str = house.call("CreateOpenIDConnectProvider", **given).open_id_connect_provider_arn
    return made


def test_an_open_id_connect_provider(house: House) -> None:
    named = oidc(house)
    found = record(house, named)
    assert found == OidcProviderRecord(found.id, house.account_id, named, "login.example.com/realms/Shop", ("shop", "till"), (THUMBPRINT,))
    assert record(house, named.replace("Shop", "shop")) is None, "a path has a case"


def test_a_saml_provider_without_its_document(house: House) -> None:
    fields: dict[str, Any] = {"add_private_key": PRIVATE_KEY, "assertion_encryption_mode": "Required"}
    named = house.call("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), **fields).saml_provider_arn
    found = record(house, named)
    assert isinstance(found, SamlProviderRecord)
    assert (found.arn, found.issuer, found.encryption_mode) == (named, "https://idp.example.com/m", "Required")
    assert [b64decode(one) for one in found.certificates] == [DER]
    ((key_id, sealed),) = found.private_keys
    place = ("saml_private_keys", "private_key", key_id)
    assert house.node.ring.unseal(key_ring.CERTIFICATES, b64decode(sealed), place).decode() == PRIVATE_KEY


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("AddClientIDToOpenIDConnectProvider", {"client_id": "new"}),
        ("RemoveClientIDFromOpenIDConnectProvider", {"client_id": "till"}),
        ("UpdateOpenIDConnectProviderThumbprint", {"thumbprint_list": ["0" * 40]}),
        ("DeleteOpenIDConnectProvider", {}),
    ],
)
def test_another_node_hears_of_a_change(database_url: str, tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    with nodes.two(database_url, tmp_path) as (first, second):
        named = oidc(first)
        second.revision = first.revision
        before = record(second, named)
        assert before.client_ids == ("shop", "till")
        first.call(name, open_id_connect_provider_arn=named, **fields)
        second.revision = first.revision
        after = record(second, named)
        assert after == record(first, named) != before
        if name == "DeleteOpenIDConnectProvider":
            assert after is None
            oidc(first, client_id_list=["other"])
            second.revision = first.revision
            assert record(second, named).client_ids == ("other",)


def test_another_node_hears_of_the_private_keys_of_a_saml_provider(database_url: str, tmp_path: Path) -> None:
    with nodes.two(database_url, tmp_path) as (first, second):
        named = first.call("CreateSAMLProvider", name="idp", saml_metadata_document=metadata()).saml_provider_arn
        second.revision = first.revision
        assert record(second, named).private_keys == ()
        first.call("UpdateSAMLProvider", saml_provider_arn=named, add_private_key=PRIVATE_KEY)
        second.revision = first.revision
        ((key_id, _),) = record(second, named).private_keys
        first.call("UpdateSAMLProvider", saml_provider_arn=named, remove_private_key=key_id)
        second.revision = first.revision
        assert record(second, named).private_keys == ()


def test_a_snapshot_has_providers(house: House) -> None:
    saml = house.call("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), add_private_key=PRIVATE_KEY)
    for named in (oidc(house), saml.saml_provider_arn):
        found = record(house, named)
        line = lines.written(found, house.node.ring)
        assert line is not None
        assert lines.read(line, house.node.ring) == found
