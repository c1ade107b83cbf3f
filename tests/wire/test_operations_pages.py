"""The tables of operations in the documentation say what is true, of each service that AWS has."""

import re
from pathlib import Path

import botocore.session
import pytest

from sekisho import operations

DOCS = Path(__file__).parents[2] / "docs"
SERVICES = ("account", "analyzer", "cloudtrail", "iam", "organizations", "tagging")


def table(service: str) -> dict[str, str]:
    """What the service's page says of each operation."""
    return dict(re.findall(r"^\| (\w+) \| (.+) \|$", (DOCS / f"{service}-operations.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_the_page_names_every_operation_of_aws(service: str) -> None:
    found = set(table(service)) - {"Operation"}
    assert found == set(botocore.session.get_session().get_service_model(operations.service(service).model).operation_names)


@pytest.mark.parametrize("service", SERVICES)
def test_done_is_what_has_an_rpc(service: str) -> None:
    done = {name for name, said in table(service).items() if said == "done"}
    assert done == {method.name for method in operations.rpcs(service).values()}


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_left_out_has_a_reason(service: str) -> None:
    left_out = [said for said in table(service).values() if said != "done"]
    assert all(re.fullmatch("left out: .{20,}", said) for said in left_out)
