"""SPIFFE ids of certificates, and the map from them to principals."""

from datetime import timedelta
from typing import Any

import pytest

from sekisho.calls import workloads
from sekisho.calls.workloads import MalformedWorkloads
from tests.certificates import NOW, Authority

MAP = """
# the shop
spiffe://shop.example/ns/prod/sa/orders: arn:aws:iam::111122223333:role/shop/order-service
spiffe://shop.example/ns/prod/sa/alice:  arn:aws:iam::111122223333:user/alice
"""
ORDERS = "spiffe://shop.example/ns/prod/sa/orders"


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
