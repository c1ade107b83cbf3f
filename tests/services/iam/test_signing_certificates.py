"""Signing certificates of users, over the whole pipeline."""

import re
from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import pki
from tests.services.iam.documents import allow

UNKNOWN = "A" * 32


def upload(house: House, number: int = 0, user: str = "alice") -> Any:
    return house.call("UploadSigningCertificate", user_name=user, certificate_body=pki.made(f"s{number}").certificate).certificate


def test_a_certificate_comes_changes_and_goes(house: House) -> None:
    house.call("CreateUser", user_name="alice")
    made = upload(house)
    assert (made.user_name, made.status, made.certificate_body) == ("alice", "Active", pki.made("s0").certificate)
    assert re.fullmatch(r"[A-Z2-7]{32}", made.certificate_id)
    assert list(house.call("ListSigningCertificates", user_name="alice").certificates) == [made]
    house.call("UpdateSigningCertificate", user_name="alice", certificate_id=made.certificate_id, status="Inactive")
    assert [one.status for one in house.call("ListSigningCertificates", user_name="alice").certificates] == ["Inactive"]
    house.call("DeleteSigningCertificate", user_name="alice", certificate_id=made.certificate_id)
    assert list(house.call("ListSigningCertificates", user_name="alice").certificates) == []
    assert upload(house).certificate_id != made.certificate_id


def test_at_most_two_a_user(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    first, second = upload(house, 0), upload(house, 1)
    said = ("LimitExceeded", "Cannot exceed quota for CertificatesPerUser: 2")
    assert refused("UploadSigningCertificate", user_name="alice", certificate_body=pki.made("s2").certificate) == said
    page = house.call("ListSigningCertificates", user_name="alice", max_items=1)
    rest = house.call("ListSigningCertificates", user_name="alice", marker=page.marker)
    assert {one.certificate_id for one in (*page.certificates, *rest.certificates)} == {first.certificate_id, second.certificate_id}


def test_a_certificate_is_of_one_user(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    house.call("CreateUser", user_name="bob")
    upload(house)
    fields: dict[str, Any] = {"certificate_body": pki.made("s0").certificate}
    again = ("DuplicateCertificate", "The certificate is already associated with the user.")
    assert refused("UploadSigningCertificate", user_name="alice", **fields) == again
    said = ("EntityAlreadyExists", "The certificate is already associated with another user of the account.")
    assert refused("UploadSigningCertificate", user_name="bob", **fields) == said
    other = house.account()
    house.call("UploadSigningCertificate", _as=other, **fields)


def test_what_is_no_certificate_or_is_not_valid(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    said = ("MalformedCertificate", "Certificate none is malformed.")  # as AWS answered, recorded on 2026-02-17
    assert refused("UploadSigningCertificate", user_name="alice", certificate_body="none") == said
    long = refused("UploadSigningCertificate", user_name="alice", certificate_body="x" * 10_000)
    assert long == ("MalformedCertificate", f"Certificate {'x' * 256} is malformed.")
    old = pki.made("old", begins=-10, days=5).certificate
    said = ("InvalidCertificate", "The certificate is not valid: it has expired or is not valid yet.")
    assert refused("UploadSigningCertificate", user_name="alice", certificate_body=old) == said


@pytest.mark.parametrize(("name", "fields"), [("UpdateSigningCertificate", {"status": "Inactive"}), ("DeleteSigningCertificate", {})])
def test_one_of_somebody_else_is_not_there(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    house.call("CreateUser", user_name="alice")
    house.call("CreateUser", user_name="bob")
    theirs = upload(house, user="bob").certificate_id
    for id_ in (theirs, UNKNOWN):
        said = ("NoSuchEntity", f"The Certificate with id {id_} cannot be found.")
        assert refused(name, user_name="alice", certificate_id=id_, **fields) == said


@pytest.mark.parametrize("name", ["UploadSigningCertificate", "ListSigningCertificates"])
def test_a_user_that_is_not_there(refused: Refused, name: str) -> None:
    fields: dict[str, Any] = {"certificate_body": pki.made("s0").certificate} if name.startswith("Upload") else {}
    assert refused(name, user_name="nobody", **fields) == ("NoSuchEntity", "The user with name nobody cannot be found.")


def test_a_user_has_certificates_of_its_own_and_a_root_user_too(house: House) -> None:
    alice = house.user("alice", allow("iam:*SigningCertificate*", on="arn:aws:iam::*:user/${aws:username}"))
    body = pki.made("own").certificate
    assert house.call("UploadSigningCertificate", _as=alice, certificate_body=body).certificate.user_name == "alice"
    assert len(house.call("ListSigningCertificates", _as=alice).certificates) == 1
    assert not house.call("UploadSigningCertificate", certificate_body=pki.made("root's").certificate).certificate.HasField("user_name")


def test_a_user_with_a_certificate_stays(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    made = upload(house)
    said = ("DeleteConflict", "Cannot delete entity, must delete signing certificates first.")
    assert refused("DeleteUser", user_name="alice") == said
    house.call("DeleteSigningCertificate", user_name="alice", certificate_id=made.certificate_id)
    house.call("DeleteUser", user_name="alice")


def test_expired_is_no_status_to_give(refused: Refused) -> None:
    code, message = refused("UpdateSigningCertificate", certificate_id=UNKNOWN, status="Expired")
    assert (code, "enum value set: [Active, Inactive]" in message) == ("ValidationError", True)
