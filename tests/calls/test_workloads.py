"""SPIFFE ids of certificates, and the map from them to principals."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from sekisho.calls import workloads
from sekisho.calls.workloads import MalformedWorkloads
from tests.certificates import NOW, Authority

MAP = """
# the shop
spiffe://shop.example/ns/prod/sa/orders: arn:aws:iam::111122223333:role/shop/order-service
spiffe://shop.example/ns/prod/sa/alice:  arn:aws:iam::111122223333:user/alice
"""
ORDERS = "spiffe://shop.example/ns/prod/sa/orders"


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Have each test read the certificate itself."""
    workloads._svid.cache_clear()


def test_a_certificate_names_a_principal() -> None:
    found = workloads.parse(MAP).of(Authority().client(ORDERS).certificate)
    assert found is not None
    assert (found.spiffe_id, found.arn) == (ORDERS, "arn:aws:iam::111122223333:role/shop/order-service")
    assert (found.session_name, found.not_before, found.not_after) == ("orders", NOW, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("spiffe://shop.example/ns/prod/sa/other",), {}),
        (("spiffe://other.example/ns/prod/sa/orders",), {}),
        (("spiffe://shop.example/ns/prod/sa/orders/",), {}),
        (("spiffe://shop.example/ns/prod/sa/../sa/orders",), {}),
        (("SPIFFE://shop.example/ns/prod/sa/orders",), {}),
        (("https://shop.example/ns/prod/sa/orders",), {}),
        ((ORDERS, "spiffe://shop.example/ns/prod/sa/alice"), {}),
        ((ORDERS, "https://shop.example/"), {}),
        ((), {}),
        ((ORDERS,), {"authority": True}),
        ((ORDERS,), {"signs": True}),
    ],
)
def test_a_certificate_that_names_nobody(names: tuple[str, ...], options: Any) -> None:
    assert workloads.parse(MAP).of(Authority().client(*names, **options).certificate) is None


def test_what_is_no_certificate_names_nobody() -> None:
    assert workloads.parse(MAP).of(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("spiffe://shop.example/a", "does not begin with a SPIFFE id"),
        ("spiffe://shop.example/a:arn:aws:iam::111122223333:user/a", "does not begin with a SPIFFE id"),
        ("spiffe://shop.example: arn:aws:iam::111122223333:user/a", "does not begin with a SPIFFE id"),
        ("spiffe://Shop.example/a: arn:aws:iam::111122223333:user/a", "does not begin with a SPIFFE id"),
        ("spiffe://shop.example/a/../b: arn:aws:iam::111122223333:user/a", "does not begin with a SPIFFE id"),
        ("spiffe://shop.example/*: arn:aws:iam::111122223333:user/a", "does not begin with a SPIFFE id"),
        ("spiffe://shop.example/aa: arn:aws:iam::111122223333:root", "is not the ARN of a user or a role"),
        ("spiffe://shop.example/aa: arn:aws:iam::111122223333:group/g", "is not the ARN of a user or a role"),
        ("spiffe://shop.example/aa: arn:aws:sts::111122223333:assumed-role/r/s", "is not the ARN of a user or a role"),
        ("spiffe://shop.example/aa: arn:aws:iam::1:user/a", "is not the ARN of a user or a role"),
        ("spiffe://shop.example/aa: alice", "is not the ARN of a user or a role"),
        ("spiffe://shop.example/a: arn:aws:iam::111122223333:role/r", "with 2 to 64 characters"),
        (f"spiffe://shop.example/{'a' * 65}: arn:aws:iam::111122223333:role/r", "with 2 to 64 characters"),
        (f"{ORDERS}: arn:aws:iam::111122223333:user/a\n{ORDERS}: arn:aws:iam::111122223333:user/b", "line 2 .* a second time"),
    ],
)
def test_a_wrong_line_is_refused(line: str, said: str) -> None:
    with pytest.raises(MalformedWorkloads, match=said):
        workloads.parse(line)


def usage(**more: bool) -> x509.KeyUsage:
    """A KeyUsage of digital signatures, and what more it says."""
    names = (
        "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
        "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys(names, False) | more)


ID = "spiffe://shop.example/"
USER = "arn:aws:iam::111122223333:user/a"


@pytest.mark.parametrize(
    ("text", "arns"),
    [
        ("", {}),
        ("\n  \n# spiffe://shop.example/a: nothing\n   # more", {}),
        (f"  {ID}aa :  {USER}  ", {f"{ID}aa": USER}),
        (f"{ID}a_b.c-D/..x: {USER}\n\n{ID}b: {USER}", {f"{ID}a_b.c-D/..x": USER, f"{ID}b": USER}),
        (f"{ID}aa: arn:aws:iam::111122223333:role/x/r", {f"{ID}aa": "arn:aws:iam::111122223333:role/x/r"}),
        (f"{ID}x/{'a' * 64}: arn:aws:iam::111122223333:role/r", {f"{ID}x/{'a' * 64}": "arn:aws:iam::111122223333:role/r"}),
        (f"spiffe://{'a' * 255}/b: {USER}", {f"spiffe://{'a' * 255}/b": USER}),
        (f"{ID}{'a' * (2048 - len(ID))}: {USER}", {f"{ID}{'a' * (2048 - len(ID))}": USER}),
    ],
)
def test_a_map_is_read_line_by_line(text: str, arns: dict[str, str]) -> None:
    assert workloads.parse(text).arns == arns


BEGINNING = "does not begin with a SPIFFE id with a path, a colon and a blank"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"# one\n\n{ID}a:{USER}", f"line 3 of the SPIFFE map {BEGINNING}"),
        (f"{ID}a/./b: {USER}", f"line 1 of the SPIFFE map {BEGINNING}"),
        (f"{ID}a/..: {USER}", f"line 1 of the SPIFFE map {BEGINNING}"),
        (f"{ID}: {USER}", f"line 1 of the SPIFFE map {BEGINNING}"),
        (f"spiffe://{'a' * 256}/b: {USER}", f"line 1 of the SPIFFE map {BEGINNING}"),
        (f"{ID}{'a' * (2049 - len(ID))}: {USER}", f"line 1 of the SPIFFE map {BEGINNING}"),
        (f"{ID}aa: {USER}\n{ID}aa: {USER}", f"line 2 of the SPIFFE map names `{ID}aa` a second time"),
        (f"{ID}aa: x: y", "line 1 of the SPIFFE map: `x: y` is not the ARN of a user or a role"),
        (f"{ID}aa: x", "line 1 of the SPIFFE map: `x` is not the ARN of a user or a role"),
        (
            f"{ID}aa/b: arn:aws:iam::111122223333:role/r",
            "line 1 of the SPIFFE map: the last part of the id names the role's session, with 2 to 64 characters",
        ),
    ],
)
def test_the_line_that_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(MalformedWorkloads) as caught:
        workloads.parse(text)
    assert caught.value.message == said


def test_without_a_map_no_certificate_is_read() -> None:
    assert workloads.Workloads().of(b"nonsense") is None
    assert workloads.Workloads({ORDERS: USER}).of(b"nonsense") is None


@pytest.mark.parametrize(
    ("extension", "signs"),
    [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.BasicConstraints(ca=False, path_length=None), False),
        (usage(key_cert_sign=True), True),
        (usage(crl_sign=True), True),
        (usage(), False),
        (x509.SubjectAlternativeName([x509.DNSName("a.example")]), False),
    ],
)
def test_whoever_may_sign_certificates_or_lists_is_an_authority(extension: Any, signs: bool) -> None:
    certificate: Any = SimpleNamespace(extensions=[SimpleNamespace(value=usage()), SimpleNamespace(value=extension)])
    assert workloads._signs(certificate) is signs


def test_a_name_of_another_kind_beside_the_id_says_nothing() -> None:
    found = workloads.parse(MAP).of(Authority().client(ORDERS, host="orders.example").certificate)
    assert found is not None
    assert found.spiffe_id == ORDERS
