"""The example of docs/plans.md runs, and prints what the page says."""

import contextlib
import io
import os
import re
from pathlib import Path
from unittest import mock

from tests.inside import inside
from tests.services.iam.documents import allow

PAGE = Path(__file__).parents[3] / "docs/plans.md"


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    page = PAGE.read_text()
    example, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (said,) = re.findall(r"it prints `(\w+)`, `(\w+)` and `(\w+)`", page)
    assert said == ("CONDITIONAL", "True", "7")
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place:
        house = place.house
        red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
        house.user("alice", allow("orders:GetOrder", when=red))
        caller = house.user("service", allow("authorize:PlanResources", "authorize:AssertPrincipal"))
        environment = {
            "SEKISHO_ENDPOINT": place.address,
            "AWS_ACCESS_KEY_ID": caller.access_key_id,
            "AWS_SECRET_ACCESS_KEY": caller.secret_access_key,
            "ALICE": f"arn:aws:iam::{house.account_id}:user/alice",
        }
        printed = io.StringIO()
        with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(printed):
            exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102  # our own page
        assert tuple(printed.getvalue().splitlines()) == said
