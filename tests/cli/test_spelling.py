"""Slips of the fingers in a question: said on standard error, and never instead of the answer."""

import pytest

from sekisho.cli.spelling import warnings
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop

ACCOUNT = "111122223333"
ORDER = f"arn:aws:orders:eu-west-1:{ACCOUNT}:order/7"

CASES = {
    "right": ("orders:RefundOrder", ORDER, []),
    "no resource": ("orders:ListOrders", "*", []),
    "another service's resource": ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/shop", []),
    "a region and an account that are empty": ("s3:GetObject", "arn:aws:s3:::bucket/key", []),
    "an action without its service": (
        "RefundOrder",
        ORDER,
        ["`RefundOrder` is not an action, such as orders:ShipOrder; did you mean orders:RefundOrder?"],
    ),
    "a resource without its ARN": (
        "orders:RefundOrder",
        "order/7",
        [f"`order/7` is not an ARN; did you mean arn:aws:orders:REGION:{ACCOUNT}:order/7?"],
    ),
    "an ARN that is too short": (
        "orders:RefundOrder",
        "arn:aws:orders:order/7",
        ["`arn:aws:orders:order/7` is not an ARN, which has six parts: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"],
    ),
    "an account that is too short": (
        "orders:RefundOrder",
        "arn:aws:orders::1111:order/7",
        ["`1111` in `arn:aws:orders::1111:order/7` is not an account, which has twelve digits"],
    ),
    "a service that is almost another": (
        "order:RefundOrder",
        ORDER,
        ["the action is of the service `order`, the resource of `orders`"],
    ),
    "a wildcard": ("orders:*", ORDER, ["`orders:*` is asked for as it stands: the wildcards of a question are literal"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_looks_like_a_slip(case: str) -> None:
    action, resource, said = CASES[case]
    assert list(warnings(action, resource, ACCOUNT)) == said


def test_a_slip_is_said_and_the_question_is_asked(shop: Shop) -> None:
    done = sekisho(
        "authorize", "--data-dir", shop.data_dir, "--principal", "user/support/amara", "--action", "RefundOrder", "--resource", "o"
    )
    assert done.returncode == 3
    assert done.stdout.startswith("✘ not allowed")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()][1:] == ["warning", "warning"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("user/amara", "user/support/amara"),
        ("user/support/amarra", "user/support/amara"),
        ("user/warehouse/ben", "user/support/ben"),
        ("role/order-servise", "role/shop/order-service"),
    ],
)
def test_an_unknown_principal_gets_a_suggestion(shop: Shop, asked: str, meant: str) -> None:
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--principal", asked, "--action", "a:b", "--resource", "*")
    expected = f"NoSuchPrincipal: There is no principal `arn:aws:iam::{shop.account}:{asked}`. Did you mean {meant}?"
    assert one_line(done) == expected


@pytest.mark.parametrize(
    ("action", "meant"),
    [("orders:RefundOrdr", "orders:RefundOrder"), ("orders:refundorder", None), ("orders:SaveDraft", None), ("warehouse:Paint", None)],
)
def test_an_action_that_no_policy_names_gets_a_suggestion(shop: Shop, action: str, meant: str | None) -> None:
    question = ("--principal", "user/support/ben", "--action", action, "--resource", shop.order("7"))
    done = sekisho("authorize", "--data-dir", shop.data_dir, *question)
    assert done.returncode == 3
    said = f"warning: no policy of the account names `{action}`; did you mean {meant}?"
    assert done.stderr.splitlines()[1:] == ([said] if meant else [])
