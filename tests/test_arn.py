"""ARNs of IAM: one parser for all who read them."""

import pytest

from sekisho import arn
from sekisho.arn import Entity

A = "111122223333"

ENTITIES = {
    "a root user": ("arn:aws:iam::111122223333:root", Entity(A, "root", "/", "root")),
    "a user": ("arn:aws:iam::111122223333:user/ann", Entity(A, "user", "/", "ann")),
    "a path": ("arn:aws:iam::111122223333:user/a/b/ann", Entity(A, "user", "/a/b/", "ann")),
    "an empty part of a path": ("arn:aws:iam::111122223333:user//ann", Entity(A, "user", "//", "ann")),
    "a colon in a path": ("arn:aws:iam::111122223333:role/a:b/r", Entity(A, "role", "/a:b/", "r")),
    "a group": ("arn:aws:iam::111122223333:group/g", Entity(A, "group", "/", "g")),
    "a policy of AWS": ("arn:aws:iam::aws:policy/job-function/Billing", Entity("aws", "policy", "/job-function/", "Billing")),
    "an instance profile": ("arn:aws:iam::111122223333:instance-profile/x/p", Entity(A, "instance-profile", "/x/", "p")),
    "a device": ("arn:aws:iam::111122223333:mfa/x/phone", Entity(A, "mfa", "/x/", "phone")),
    "a certificate": ("arn:aws:iam::111122223333:server-certificate/c", Entity(A, "server-certificate", "/", "c")),
    "a provider named after its URL": (
        "arn:aws:iam::111122223333:oidc-provider/id.example/realms/shop",
        Entity(A, "oidc-provider", "/", "id.example/realms/shop"),
    ),
    "a SAML provider": ("arn:aws:iam::111122223333:saml-provider/idp", Entity(A, "saml-provider", "/", "idp")),
    "a role session": ("arn:aws:sts::111122223333:assumed-role/r/s", Entity(A, "assumed-role", "/r/", "s")),
    "a role without a session": ("arn:aws:sts::111122223333:assumed-role/r", Entity(A, "assumed-role", "/", "r")),
    "a session of a role with a path": ("arn:aws:sts::111122223333:assumed-role/p/r/s", Entity(A, "assumed-role", "/p/r/", "s")),
    "a federated user": ("arn:aws:sts::111122223333:federated-user/f", Entity(A, "federated-user", "/", "f")),
    "an account that is none": ("arn:aws:iam::1:user/ann", Entity("1", "user", "/", "ann")),
}

NOTHING = {
    "no text": "",
    "no ARN": "ann",
    "too few segments": "arn:aws:iam::111122223333",
    "another partition": "arn:aws-cn:iam::111122223333:user/ann",
    "a region": "arn:aws:iam:eu-west-1:111122223333:user/ann",
    "another service": "arn:aws:s3::111122223333:user/ann",
    "another beginning": "xrn:aws:iam::111122223333:user/ann",
    "another kind": "arn:aws:iam::111122223333:sms-mfa/ann",
    "no name": "arn:aws:iam::111122223333:user/",
    "no name behind a path": "arn:aws:iam::111122223333:user/a/",
    "a kind alone": "arn:aws:iam::111122223333:user",
    "a path of root": "arn:aws:iam::111122223333:root/x",
    "a kind in capitals": "arn:aws:iam::111122223333:User/ann",
    "a role session of IAM": "arn:aws:iam::111122223333:assumed-role/r/s",
    "a user of STS": "arn:aws:sts::111122223333:user/ann",
    "a session without a name": "arn:aws:sts::111122223333:assumed-role/r/",
    "a character that PostgreSQL has not": "arn:aws:iam::111122223333:user/a\0",
    "too long": "arn:aws:iam::111122223333:user/" + "a" * 2048,
}


@pytest.mark.parametrize(("text", "expected"), ENTITIES.values(), ids=ENTITIES)
def test_what_an_arn_names(text: str, expected: Entity) -> None:
    assert arn.entity(text) == expected


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_names_no_entity(text: str) -> None:
    assert arn.entity(text) is None


def test_a_session_says_its_role() -> None:
    found = arn.entity("arn:aws:sts::111122223333:assumed-role/orders/pod-1")
    assert found is not None
    assert (found.role, found.name) == ("orders", "pod-1")
    without = arn.entity("arn:aws:sts::111122223333:assumed-role/orders")
    assert without is not None
    assert without.role == ""


@pytest.mark.parametrize("kind", ["user", "role", "group", "policy", "instance-profile", "mfa", "server-certificate"])
@pytest.mark.parametrize("path", ["/", "/a/", "/a/b/"])
def test_an_entity_comes_back_from_its_arn(kind: str, path: str) -> None:
    assert arn.entity(arn.iam(A, kind, "n", path)) == Entity(A, kind, path, "n")
