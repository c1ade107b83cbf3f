"""Server certificates, over the whole pipeline."""

import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from sekisho.calls.shown import REDACTED
from sekisho.credentials import key_ring
from sekisho.store.tables import AuditRecord, ServerCertificate
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import pki
from tests.services.iam.documents import allow

UNREADABLE = ("MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format.")
UNREADABLE_KEY = (
    "MalformedCertificate",
    "Unable to parse private key. Please ensure the key is an RSA or EC key in PEM format and is not encrypted.",
)


def body(name: str = "server", **fields: Any) -> dict[str, Any]:
    """The fields of an upload."""
    made = pki.made(name)
    return {"server_certificate_name": "web", "certificate_body": made.certificate, "private_key": made.private_key, **fields}


def broken_chain(index: int) -> tuple[str, str]:
    sentence = (
        "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
        f"followed by any intermediaries in order. The index within the chain of the invalid certificate is: {index}"
    )
    return "MalformedCertificate", sentence


def test_a_certificate_is_kept_and_its_key_is_not_shown(house: House) -> None:
    root, middle = pki.made("root"), pki.made("root/middle")
    chain = middle.certificate + root.certificate
    made = house.call(
        "UploadServerCertificate", path="/edge/", certificate_chain=chain, tags=[{"key": "k", "value": "v"}], **body("root/middle/s")
    )
    shown = made.server_certificate_metadata
    assert (shown.path, shown.server_certificate_name) == ("/edge/", "web")
    assert shown.arn == f"arn:aws:iam::{house.account_id}:server-certificate/edge/web"
    assert re.fullmatch(r"ASCA[A-Z2-7]{17}", shown.server_certificate_id)
    assert shown.expiration.ToDatetime() == (pki.NOW + timedelta(days=364)).replace(microsecond=0, tzinfo=None)
    assert [(tag.key, tag.value) for tag in made.tags] == [("k", "v")]
    got = house.call("GetServerCertificate", server_certificate_name="web").server_certificate
    assert got.server_certificate_metadata == shown
    assert (got.certificate_body, got.certificate_chain) == (pki.made("root/middle/s").certificate.rstrip("\n"), chain.rstrip("\n"))
    assert [(tag.key, tag.value) for tag in got.tags] == [("k", "v")]
    assert list(house.call("ListServerCertificates").server_certificate_metadata_list) == [shown]
    with house.node.database.read() as session:
        row = session.get_one(ServerCertificate, shown.server_certificate_id)
        (record,) = session.query(AuditRecord).where(
            AuditRecord.account_id == house.account_id, AuditRecord.event_name == "UploadServerCertificate"
        )
    assert b"PRIVATE KEY" not in row.private_key
    place = ("server_certificates", "private_key", row.id)
    assert house.node.ring.unseal(key_ring.CERTIFICATES, row.private_key, place).decode() == pki.made("root/middle/s").private_key
    assert "PRIVATE KEY" not in record.request
    assert REDACTED in record.request


def test_texts_lose_the_line_ends_at_their_end(house: House) -> None:
    """Else Terraform plans to make the certificate anew each time. Source: what its provider expects (issue 9)."""
    certificate = pki.made("root").certificate
    assert certificate.endswith("-----END CERTIFICATE-----\n")
    for number, end in enumerate(("", "\n", "\r\n", "\n\n")):
        fields = body("root") | {"server_certificate_name": f"c{number}", "certificate_body": certificate.rstrip("\n") + end}
        house.call("UploadServerCertificate", **fields)
        got = house.call("GetServerCertificate", server_certificate_name=f"c{number}").server_certificate
        assert got.certificate_body == certificate.rstrip("\n")


def test_without_a_chain_none_is_shown(house: House) -> None:
    house.call("UploadServerCertificate", **body())
    assert not house.call("GetServerCertificate", server_certificate_name="WEB").server_certificate.HasField("certificate_chain")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"certificate_body": "no certificate"}, UNREADABLE),
        ({"certificate_body": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, UNREADABLE),
        ({"certificate_body": pki.made("a").certificate + pki.made("b").certificate}, UNREADABLE),
        ({"private_key": "no key"}, UNREADABLE_KEY),
        ({"private_key": pki.pem(pki.made("server").key, "secret")}, UNREADABLE_KEY),
        ({"private_key": pki.pem(ed25519.Ed25519PrivateKey.generate())}, UNREADABLE_KEY),
        (
            {"private_key": pki.made("other").private_key},
            ("KeyPairMismatch", "The private key does not belong to the public key of the certificate."),
        ),
        ({"certificate_chain": "no chain"}, UNREADABLE),
        ({"certificate_chain": pki.made("other").certificate}, broken_chain(0)),
        ({"certificate_chain": pki.made("root").certificate * 11}, UNREADABLE),
    ],
    ids=[
        "no_certificate", "broken_certificate", "two_certificates", "no_key", "encrypted_key", "key_of_another_kind", "key_of_another",
        "no_chain", "chain_of_another", "endless_chain",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(house: House, refused: Refused, fields: dict[str, Any], said: tuple[str, str]) -> None:
    assert refused("UploadServerCertificate", **(body() | fields)) == said
    assert list(house.call("ListServerCertificates").server_certificate_metadata_list) == []


def test_a_chain_is_in_order(refused: Refused) -> None:
    chain = pki.made("root/middle").certificate
    assert refused(
        "UploadServerCertificate", certificate_chain=pki.made("root").certificate + chain, **body("root/middle/s")
    ) == broken_chain(0)
    assert refused(
        "UploadServerCertificate", certificate_chain=chain + pki.made("other").certificate, **body("root/middle/s")
    ) == broken_chain(1)


@pytest.mark.parametrize(("begins", "days"), [(-10, 5), (5, 5)], ids=["expired", "not_yet"])
def test_it_must_be_valid_now(refused: Refused, begins: int, days: int) -> None:
    made = pki.made("old", begins=begins, days=days)
    fields: dict[str, Any] = {"server_certificate_name": "web", "certificate_body": made.certificate, "private_key": made.private_key}
    said = ("MalformedCertificate", "The certificate must be valid at the time of upload: it has expired or is not valid yet.")
    assert refused("UploadServerCertificate", **fields) == said


def test_a_name_is_given_once_whatever_its_case(house: House, refused: Refused) -> None:
    house.call("UploadServerCertificate", **body())
    said = ("EntityAlreadyExists", "The Server Certificate with name WEB already exists.")
    assert refused("UploadServerCertificate", **body() | {"server_certificate_name": "WEB"}) == said


def test_it_gets_another_name_and_path(house: House, refused: Refused) -> None:
    made = house.call("UploadServerCertificate", **body()).server_certificate_metadata
    house.call("UploadServerCertificate", **body() | {"server_certificate_name": "other"})
    house.call("UpdateServerCertificate", server_certificate_name="web", new_path="/p/", new_server_certificate_name="new")
    shown = house.call("GetServerCertificate", server_certificate_name="new").server_certificate.server_certificate_metadata
    assert shown.arn == f"arn:aws:iam::{house.account_id}:server-certificate/p/new"
    assert shown.server_certificate_id == made.server_certificate_id
    said = ("EntityAlreadyExists", "The Server Certificate with name other already exists.")
    assert refused("UpdateServerCertificate", server_certificate_name="new", new_server_certificate_name="other") == said
    listed = house.call("ListServerCertificates", path_prefix="/p/").server_certificate_metadata_list
    assert [one.server_certificate_name for one in listed] == ["new"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("GetServerCertificate", {}),
        ("UpdateServerCertificate", {}),
        ("DeleteServerCertificate", {}),
        ("TagServerCertificate", {"tags": [{"key": "k", "value": "v"}]}),
        ("UntagServerCertificate", {"tag_keys": ["k"]}),
        ("ListServerCertificateTags", {}),
    ],
)
def test_one_that_is_not_there(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    other = house.account()
    house.call("UploadServerCertificate", _as=other, **body())
    said = ("NoSuchEntity", "The Server Certificate with name web cannot be found.")
    assert refused(name, server_certificate_name="web", **fields) == said


def test_deletion_takes_tags_along(house: House, refused: Refused) -> None:
    house.call("UploadServerCertificate", tags=[{"key": "k", "value": "v"}], **body())
    house.call("DeleteServerCertificate", server_certificate_name="web")
    assert refused("GetServerCertificate", server_certificate_name="web")[0] == "NoSuchEntity"


def test_tags_come_and_go_and_differ_by_case(house: House) -> None:
    house.call("UploadServerCertificate", **body())
    house.call("TagServerCertificate", server_certificate_name="web", tags=[{"key": "a", "value": "1"}, {"key": "A", "value": "2"}])
    house.call("UntagServerCertificate", server_certificate_name="web", tag_keys=["a"])
    listed = house.call("ListServerCertificateTags", server_certificate_name="web")
    assert ([(tag.key, tag.value) for tag in listed.tags], listed.is_truncated) == ([("A", "2")], False)


def test_at_most_twenty(house: House, refused: Refused) -> None:
    for number in range(20):
        house.call("UploadServerCertificate", **body() | {"server_certificate_name": f"web{number:02}"})
    said = ("LimitExceeded", "Cannot exceed quota for ServerCertificatesPerAccount: 20")
    assert refused("UploadServerCertificate", **body()) == said
    first = house.call("ListServerCertificates", max_items=15)
    rest = house.call("ListServerCertificates", max_items=15, marker=first.marker)
    assert (len(first.server_certificate_metadata_list), first.is_truncated) == (15, True)
    assert (len(rest.server_certificate_metadata_list), rest.is_truncated, rest.HasField("marker")) == (5, False, False)


def test_permission_is_on_its_arn_and_on_the_new_one(house: House, refused: Refused) -> None:
    arn = f"arn:aws:iam::{house.account_id}:server-certificate"
    caller = house.user("caller", allow("iam:*ServerCertificate", on=f"{arn}/mine/*"))
    house.call("UploadServerCertificate", _as=caller, path="/mine/", **body())
    assert refused("UploadServerCertificate", _as=caller, **body() | {"server_certificate_name": "elsewhere"})[0] == "AccessDenied"
    assert refused("UpdateServerCertificate", _as=caller, server_certificate_name="web", new_path="/theirs/")[0] == "AccessDenied"
    house.call("UpdateServerCertificate", _as=caller, server_certificate_name="web", new_path="/mine/too/")
