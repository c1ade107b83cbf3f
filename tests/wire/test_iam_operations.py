"""The table of IAM's operations in the documentation says what is true."""

import re
from pathlib import Path

import botocore.session

from sekisho import operations

PAGE = Path(__file__).parents[2] / "docs" / "iam-operations.md"


def table() -> dict[str, str]:
    """What the page says of each operation."""
    return dict(re.findall(r"^\| (\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))


def test_the_page_names_every_operation_of_aws() -> None:
    found = set(table()) - {"Operation"}
    assert found == set(botocore.session.get_session().get_service_model("iam").operation_names)


def test_done_is_what_has_an_rpc() -> None:
    assert {name for name, said in table().items() if said == "done"} == {method.name for method in operations.rpcs("iam").values()}


def test_what_is_left_out_has_a_reason() -> None:
    left_out = [said for said in table().values() if said != "done"]
    assert all(re.fullmatch("left out: .{20,}", said) for said in left_out)
