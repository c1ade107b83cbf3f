"""SAML providers, over the whole pipeline."""

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sekisho.calls.shown import REDACTED
from sekisho.credentials import key_ring
from sekisho.store.tables import AuditRecord, SamlPrivateKey
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import pki
from tests.services.iam.documents import allow

UNPARSED = ("InvalidInput", "Could not parse metadata")
DER = pki.made("idp").x509.public_bytes(Encoding.DER)
MD = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
KEY = (
    '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n'
    f"{b64encode(DER).decode()}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
)
SSO = (
    '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
    'Location="https://idp.example.com/sso"></md:SingleSignOnService>'
)


def metadata(*, head: str = "", attributes: str = "", key: str = KEY, sso: str = SSO, issuer: str = "https://idp.example.com/m") -> str:
    """The metadata of an identity provider, of a thousand characters at least."""
    return (
        f'<?xml version="1.0"?>{head}<md:EntityDescriptor {MD} entityID="{issuer}" {attributes}><!-- {"x" * 800} -->'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{key}{sso}</md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    )


def create(house: House, name: str = "idp", **fields: Any) -> str:
    made = house.call("CreateSAMLProvider", **{"name": name, "saml_metadata_document": metadata(), **fields})
    arn: str = made.saml_provider_arn
    return arn


def test_a_provider_is_what_its_metadata_say(house: House) -> None:
    made = house.call("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), tags=[{"key": "k", "value": "v"}])
    arn = f"arn:aws:iam::{house.account_id}:saml-provider/idp"
    assert (made.saml_provider_arn, [(tag.key, tag.value) for tag in made.tags]) == (arn, [("k", "v")])
    got = house.call("GetSAMLProvider", saml_provider_arn=arn)
    assert got.saml_metadata_document == metadata()
    assert re.fullmatch(r"[A-Z0-9]{32}", got.saml_provider_uuid)
    assert [(one.issuer_url, list(one.key_hashes)) for one in got.saml_key_hashes] == [
        ("https://idp.example.com/m", [sha256(DER).hexdigest()])
    ]
    assert got.valid_until.ToDatetime() - got.create_date.ToDatetime() == timedelta(days=36_525)
    assert got.assertion_encryption_mode == "Allowed"  # as AWS answered, recorded on 2026-02-13
    assert [(tag.key, tag.value) for tag in got.tags] == [("k", "v")]
    (listed,) = house.call("ListSAMLProviders").saml_provider_list
    assert (listed.arn, listed.valid_until, listed.create_date) == (arn, got.valid_until, got.create_date)


def test_metadata_may_say_until_when_they_are_good(house: House, refused: Refused) -> None:
    arn = create(house, saml_metadata_document=metadata(attributes='validUntil="2199-01-02T03:04:05Z"'))
    assert house.call("GetSAMLProvider", saml_provider_arn=arn).valid_until.ToJsonString() == "2199-01-02T03:04:05Z"
    old = metadata(attributes='validUntil="2020-01-01T00:00:00Z"')
    said = ("InvalidInput", "The metadata document has expired.")
    assert refused("CreateSAMLProvider", name="old", saml_metadata_document=old) == said
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, saml_metadata_document=old) == said
    assert house.call("GetSAMLProvider", saml_provider_arn=arn).valid_until.ToJsonString() == "2199-01-02T03:04:05Z"


def test_other_metadata_take_the_place_of_the_first(house: House) -> None:
    arn = create(house)
    other = metadata(issuer="https://other.example.com")
    assert house.call("UpdateSAMLProvider", saml_provider_arn=arn, saml_metadata_document=other).saml_provider_arn == arn
    got = house.call("GetSAMLProvider", saml_provider_arn=arn)
    assert (got.saml_metadata_document, got.saml_key_hashes[0].issuer_url) == (other, "https://other.example.com")


LAUGHS = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FETCHES = '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
DECLARED = '<!DOCTYPE m SYSTEM "https://example.com/m.dtd">'
DEEP = "<md:x>" * 80 + "</md:x>" * 80
MANY = "<md:x></md:x>" * 20_000
LONG = f"<x xmlns='urn:{'x' * 253}'></x>"


@pytest.mark.parametrize(
    "document",
    [
        "no metadata" + " " * 1000,
        metadata()[:-10],
        metadata(head=LAUGHS),
        metadata(head=FETCHES),
        metadata(head=DECLARED),
        metadata(sso=SSO + "&undeclared;"),
        metadata(sso=SSO + DEEP),
        metadata(sso=SSO + MANY),
        metadata(sso=SSO + LONG),
        metadata(key=KEY * 21),
        metadata(key=KEY.replace('use="signing"', 'use="encryption"')),
        metadata(key=KEY.replace("\nMII", "\n!!!")),
        metadata(key=KEY.replace("\nMII", "\nAAA")),
        metadata(key=""),
        metadata(sso=""),
        metadata(issuer=""),
        metadata(issuer="https://idp.example.com/" + "x" * 1024),
        metadata(attributes='validUntil="tomorrow"'),
        metadata(attributes='validUntil="0001-01-01T00:00:00+01:00"'),
        metadata().replace("IDPSSODescriptor", "SPSSODescriptor"),
        metadata().replace("EntityDescriptor", "EntitiesDescriptor"),
        metadata().replace("urn:oasis:names:tc:SAML:2.0:metadata", "urn:other"),
    ],
    ids=[
        "no_xml", "cut_short", "billion_laughs", "external_entity", "external_type", "undeclared_entity", "too_deep", "too_many",
        "long_namespace", "too_many_keys", "no_signing_key", "key_not_base64", "key_no_certificate", "no_key", "no_sign_on",
        "no_issuer", "long_issuer", "no_date", "no_time_in_utc", "service_provider", "many_entities", "another_namespace",
    ],
)  # fmt: skip
def test_what_is_no_metadata(house: House, refused: Refused, document: str) -> None:
    assert refused("CreateSAMLProvider", name="idp", saml_metadata_document=document) == UNPARSED
    assert list(house.call("ListSAMLProviders").saml_provider_list) == []


def test_metadata_have_a_size(refused: Refused) -> None:
    code, message = refused("CreateSAMLProvider", name="idp", saml_metadata_document="x" * 999)
    assert (code, "Member must have length greater than or equal to 1000" in message) == ("ValidationError", True)


def test_a_name_is_given_once_whatever_its_case(house: House, refused: Refused) -> None:
    create(house)
    said = ("EntityAlreadyExists", "Provider with name IDP already exists.")
    assert refused("CreateSAMLProvider", name="IDP", saml_metadata_document=metadata()) == said


def test_a_private_key_is_sealed_and_not_shown(house: House, refused: Refused) -> None:
    key = pki.made("saml").private_key
    arn = create(house, assertion_encryption_mode="Required", add_private_key=key)
    got = house.call("GetSAMLProvider", saml_provider_arn=arn)
    assert got.assertion_encryption_mode == "Required"
    (listed,) = got.private_key_list
    assert re.fullmatch(r"[A-Z0-9]{32}", listed.key_id)
    with house.node.database.read() as session:
        row = session.get_one(SamlPrivateKey, listed.key_id)
        (record,) = session.query(AuditRecord).where(
            AuditRecord.account_id == house.account_id, AuditRecord.event_name == "CreateSAMLProvider"
        )
    assert house.node.ring.unseal(key_ring.CERTIFICATES, row.private_key, ("saml_private_keys", "private_key", row.id)).decode() == key
    assert "PRIVATE KEY" not in record.request
    assert REDACTED in record.request


def test_a_key_is_replaced_through_a_second_one(house: House, refused: Refused) -> None:
    arn = create(house, assertion_encryption_mode="Required", add_private_key=pki.made("k1").private_key)

    def keys() -> list[str]:
        return [key.key_id for key in house.call("GetSAMLProvider", saml_provider_arn=arn).private_key_list]

    (first,) = keys()
    required = ("InvalidInput", "A private key is required when AssertionEncryptionMode is Required.")
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, remove_private_key=first) == required
    house.call("UpdateSAMLProvider", saml_provider_arn=arn, add_private_key=pki.made("k2").private_key)
    said = ("LimitExceeded", "Cannot exceed quota for PrivateKeysPerSAMLProvider: 2")
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, add_private_key=pki.made("k3").private_key) == said
    house.call("UpdateSAMLProvider", saml_provider_arn=arn, add_private_key=pki.made("k3").private_key, remove_private_key=first)
    assert len(keys()) == 2
    assert first not in keys()
    said = ("InvalidInput", f"The SAML provider has no private key with id {first}.")
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, remove_private_key=first) == said
    house.call("UpdateSAMLProvider", saml_provider_arn=arn, assertion_encryption_mode="Allowed")
    for key in keys():
        house.call("UpdateSAMLProvider", saml_provider_arn=arn, remove_private_key=key)
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, assertion_encryption_mode="Required") == required
    assert refused("CreateSAMLProvider", name="new", saml_metadata_document=metadata(), assertion_encryption_mode="Required") == required
    said = ("InvalidInput", "Unable to parse private key. Please ensure the key is an RSA or EC key in PEM format and is not encrypted.")
    assert refused("UpdateSAMLProvider", saml_provider_arn=arn, add_private_key="none") == said


def test_deletion_takes_keys_and_tags_along(house: House) -> None:
    arn = create(house, add_private_key=pki.made("k1").private_key, tags=[{"key": "k", "value": "v"}])
    (key,) = house.call("GetSAMLProvider", saml_provider_arn=arn).private_key_list
    house.call("DeleteSAMLProvider", saml_provider_arn=arn)
    assert list(house.call("ListSAMLProviders").saml_provider_list) == []
    with house.node.database.read() as session:
        assert session.get(SamlPrivateKey, key.key_id) is None


def test_tags_come_and_go_and_differ_by_case(house: House) -> None:
    arn = create(house)
    house.call("TagSAMLProvider", saml_provider_arn=arn, tags=[{"key": "a", "value": "1"}, {"key": "A", "value": "2"}])
    house.call("UntagSAMLProvider", saml_provider_arn=arn, tag_keys=["a"])
    assert [(tag.key, tag.value) for tag in house.call("ListSAMLProviderTags", saml_provider_arn=arn).tags] == [("A", "2")]


CALLS = [
    ("GetSAMLProvider", {}),
    ("UpdateSAMLProvider", {"saml_metadata_document": metadata()}),
    ("DeleteSAMLProvider", {}),
    ("TagSAMLProvider", {"tags": [{"key": "k", "value": "v"}]}),
    ("UntagSAMLProvider", {"tag_keys": ["k"]}),
    ("ListSAMLProviderTags", {}),
]


@pytest.mark.parametrize(("name", "fields"), CALLS)
def test_one_that_is_not_there_or_of_another_account(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    arn = f"arn:aws:iam::{house.account_id}:saml-provider/none"
    assert refused(name, saml_provider_arn=arn, **fields) == ("NoSuchEntity", f"Manifest not found for arn {arn}")
    theirs = house.call("CreateSAMLProvider", _as=house.account(), name="none", saml_metadata_document=metadata()).saml_provider_arn
    assert refused(name, saml_provider_arn=theirs, **fields)[0] == "AccessDenied"
    wrong = f"arn:aws:iam::{house.account_id}:oidc-provider/none"
    assert refused(name, saml_provider_arn=wrong, **fields) == ("InvalidInput", f"ARN {wrong} is not valid.")


def test_there_is_no_identity_center(house: House, refused: Refused) -> None:
    said = ("InvalidInput", "ContextProvider and IdentityCenterInstanceArn are not supported: there is no identity center here.")
    fields: dict[str, Any] = {"identity_center_instance_arn": "arn:aws:sso:::instance/i"}
    assert refused("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), **fields) == said
    assert refused("UpdateSAMLProvider", saml_provider_arn=create(house), context_provider={"subject_source_key": "s"}) == said


def test_permission_is_on_the_arn(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("iam:*SAMLProvider*", on=f"arn:aws:iam::{house.account_id}:saml-provider/mine*"))
    house.call("CreateSAMLProvider", _as=caller, name="mine-1", saml_metadata_document=metadata())
    assert refused("CreateSAMLProvider", _as=caller, name="theirs", saml_metadata_document=metadata())[0] == "AccessDenied"


def test_at_most_a_hundred(house: House, refused: Refused) -> None:
    for number in range(100):
        create(house, f"p{number}")
    said = ("LimitExceeded", "Cannot exceed quota for SAMLProvidersPerAccount: 100")
    assert refused("CreateSAMLProvider", name="idp", saml_metadata_document=metadata()) == said
