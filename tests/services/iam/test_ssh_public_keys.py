"""SSH public keys of users, over the whole pipeline."""

import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from sekisho.errors import SekishoError
from sekisho.services.iam import ssh_public_keys
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import pki
from tests.services.iam.documents import allow

KNOWN = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCnSZfzBXDTQx5h9Q5h7AOm7u/QQmbtT427JMHQ+oY6LHgwAPCrgaJTH7ErmZFEZoeeFuewkG"
    "hyV9lckQYnrQqVljuTkxLDSliFFHP8x+jLsKqKb4awR8hCAVv9Z5ocQEza9ZWDColVZb4qz/GKLdyjwkDjawfovOYgieeif3SBl4LJMOXmchR1"
    "snbEYprbERO+pa58wqI1um3GcNj7lwkRN178zcY2ZCWRHisdXf0sVPbYMKPwcJnT2IhzwNoJM7VC0DSUQZHQF+5aWVi1yiNowztZE44GAhyzxY"
    "A54Q+Mvsdnzx/+McQFu26xAqXMC4rBCooMu/XLk8RcvVrK/YW7"
)
FINGERPRINT = "63:23:ba:76:19:70:bf:31:8c:ec:e0:cb:dd:92:b4:6d"
"""What `ssh-keygen -l -E md5` says of it."""

UNKNOWN = "APKAAAAAAAAAAAAAAAAA"
NOT_RSA = ("InvalidPublicKey", "The public key is invalid. It must be an RSA key of at least 2048 bits.")


@pytest.fixture
def alice(house: House) -> str:
    house.call("CreateUser", user_name="alice")
    return "alice"


def upload(house: House, number: int = 0, user: str = "alice", **fields: Any) -> Any:
    body = pki.openssh(pki.rsa_public(number))
    return house.call("UploadSSHPublicKey", user_name=user, **{"ssh_public_key_body": body, **fields}).ssh_public_key


def test_a_key_comes_changes_and_goes(house: House, alice: str) -> None:
    made = upload(house)
    assert (made.user_name, made.status, made.ssh_public_key_body) == ("alice", "Active", pki.openssh(pki.rsa_public(0)))
    assert re.fullmatch(r"APKA[A-Z2-7]{16}", made.ssh_public_key_id)
    key: dict[str, Any] = {"user_name": alice, "ssh_public_key_id": made.ssh_public_key_id}
    (listed,) = house.call("ListSSHPublicKeys", user_name=alice).ssh_public_keys
    assert (listed.user_name, listed.ssh_public_key_id, listed.status) == ("alice", made.ssh_public_key_id, "Active")
    house.call("UpdateSSHPublicKey", status="Inactive", **key)
    assert house.call("GetSSHPublicKey", encoding="SSH", **key).ssh_public_key.status == "Inactive"
    house.call("DeleteSSHPublicKey", **key)
    assert list(house.call("ListSSHPublicKeys", user_name=alice).ssh_public_keys) == []


def test_each_encoding_is_read_and_written(house: House, alice: str) -> None:
    key = pki.rsa_public(0)
    for body in (pki.openssh(key) + " alice@laptop\n", pki.public_pem(key)):
        made = upload(house, ssh_public_key_body=body)
        assert made.ssh_public_key_body == body
        named: dict[str, Any] = {"user_name": alice, "ssh_public_key_id": made.ssh_public_key_id}
        assert house.call("GetSSHPublicKey", encoding="SSH", **named).ssh_public_key.ssh_public_key_body == pki.openssh(key)
        assert house.call("GetSSHPublicKey", encoding="PEM", **named).ssh_public_key.ssh_public_key_body == pki.public_pem(key)
        house.call("DeleteSSHPublicKey", **named)


def test_the_fingerprint_is_that_of_ssh_keygen(house: House, alice: str) -> None:
    assert upload(house, ssh_public_key_body=KNOWN).fingerprint == FINGERPRINT


def test_the_same_key_in_another_encoding_is_a_duplicate(house: House, refused: Refused, alice: str) -> None:
    upload(house)
    said = ("DuplicateSSHPublicKey", "The SSH public key is already associated with the user.")
    assert refused("UploadSSHPublicKey", user_name=alice, ssh_public_key_body=pki.public_pem(pki.rsa_public(0))) == said
    house.call("CreateUser", user_name="bob")
    upload(house, user="bob")


def test_at_most_five_a_user(house: House, refused: Refused, alice: str) -> None:
    for number in range(5):
        upload(house, number)
    said = ("LimitExceeded", "Cannot exceed quota for SSHPublicKeysPerUser: 5")
    assert refused("UploadSSHPublicKey", user_name=alice, ssh_public_key_body=pki.openssh(pki.rsa_public(5))) == said
    first = house.call("ListSSHPublicKeys", user_name=alice, max_items=3)
    rest = house.call("ListSSHPublicKeys", user_name=alice, marker=first.marker)
    assert (len(first.ssh_public_keys), len(rest.ssh_public_keys), rest.is_truncated) == (3, 2, False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("my key", ("UnrecognizedPublicKeyEncoding", "The public key encoding is not recognized. Use the format of ssh-rsa, or PEM.")),
        (KNOWN[:60], ("InvalidPublicKey", "The public key is malformed.")),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ("InvalidPublicKey", "The public key is malformed.")),
        (pki.openssh(ed25519.Ed25519PrivateKey.generate().public_key()), NOT_RSA),
        (pki.openssh(pki.rsa_public(0, bits=1024)), NOT_RSA),
    ],
    ids=["no_key", "cut_short", "broken_pem", "another_kind", "too_short"],
)
def test_what_is_no_key(house: House, refused: Refused, alice: str, body: str, said: tuple[str, str]) -> None:
    assert refused("UploadSSHPublicKey", user_name=alice, ssh_public_key_body=body) == said
    assert list(house.call("ListSSHPublicKeys", user_name=alice).ssh_public_keys) == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [("GetSSHPublicKey", {"encoding": "SSH"}), ("UpdateSSHPublicKey", {"status": "Inactive"}), ("DeleteSSHPublicKey", {})],
)
def test_a_key_of_somebody_else_is_not_there(house: House, refused: Refused, alice: str, name: str, fields: dict[str, Any]) -> None:
    house.call("CreateUser", user_name="bob")
    for id_ in (upload(house, user="bob").ssh_public_key_id, UNKNOWN):
        said = ("NoSuchEntity", f"The Public Key with id {id_} cannot be found.")
        assert refused(name, user_name=alice, ssh_public_key_id=id_, **fields) == said
    said = ("NoSuchEntity", "The user with name nobody cannot be found.")
    assert refused(name, user_name="nobody", ssh_public_key_id=UNKNOWN, **fields) == said


def test_a_user_lists_its_own(house: House) -> None:
    carol = house.user("carol", allow("iam:ListSSHPublicKeys", on="arn:aws:iam::*:user/${aws:username}"))
    upload(house, user="carol")
    assert [key.user_name for key in house.call("ListSSHPublicKeys", _as=carol).ssh_public_keys] == ["carol"]


def test_a_user_with_a_key_stays(house: House, refused: Refused, alice: str) -> None:
    upload(house)
    assert refused("DeleteUser", user_name=alice) == ("DeleteConflict", "Cannot delete entity, must remove referenced objects first.")


def test_a_key_is_read_with_white_space_around_it() -> None:
    pem = ssh_public_keys._pem(KNOWN)
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    for text in (KNOWN, f"\n {KNOWN} ann@laptop\n", pem, f"\n  {pem}"):
        assert ssh_public_keys._openssh(text) == KNOWN
    assert ssh_public_keys._fingerprint(KNOWN) == ssh_public_keys._fingerprint(f"{KNOWN} comment") == FINGERPRINT


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("key", "UnrecognizedPublicKeyEncoding", "The public key encoding is not recognized. Use the format of ssh-rsa, or PEM."),
        (f"x{KNOWN}", "UnrecognizedPublicKeyEncoding", "The public key encoding is not recognized. Use the format of ssh-rsa, or PEM."),
        ("ssh-rsa AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("ecdsa-sha2-nistp256 AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("sk-ssh-ed25519@openssh.com AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("-----BEGIN", "InvalidPublicKey", "The public key is malformed."),
        (
            pki.openssh(pki.rsa_public(0, bits=1024)),
            "InvalidPublicKey",
            "The public key is invalid. It must be an RSA key of at least 2048 bits.",
        ),
    ],
)
def test_what_is_no_text_of_a_key(text: str, code: str, message: str) -> None:
    with pytest.raises(SekishoError) as caught:
        ssh_public_keys._openssh(text)
    assert (caught.value.code, caught.value.message) == (code, message)
