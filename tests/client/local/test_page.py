"""The example of docs/local-authorizer.md runs, and prints what the page says."""

import contextlib
import io
import os
import re
from pathlib import Path
from unittest import mock

from tests.inside import inside
from tests.services.iam.documents import allow

PAGE = Path(__file__).parents[3] / "docs/local-authorizer.md"


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    page = PAGE.read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    said = re.findall(r"`(\w+ local)`", page)
    assert said == ["Allowed local", "ImplicitlyDenied local"]
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place:
        house = place.house
        house.call("CreateUser", user_name="alice")
        house.call("PutUserPolicy", user_name="alice", policy_name="orders", policy_document=allow("orders:GetOrder"))
        caller = house.user("service", allow("authorize:*", "iam:DeleteUserPolicy"))
        environment = {
            "SEKISHO_ENDPOINT": place.address,
            "AWS_ACCESS_KEY_ID": caller.access_key_id,
            "AWS_SECRET_ACCESS_KEY": caller.secret_access_key,
            "ALICE": f"arn:aws:iam::{house.account_id}:user/alice",
        }
        # On a busy machine a change may take longer to arrive than the example's questions wait; then the server's own answer comes.
        patient = example.replace("max_silence=15.0", "max_silence=600.0, patience=60.0").replace("10.0", "60.0")
        printed = io.StringIO()
        with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(printed):
            exec(compile(patient, str(PAGE), "exec"), {})  # noqa: S102  # our own page
        assert printed.getvalue().splitlines() == said


def test_the_permissions_that_the_page_names_are_enough(tmp_path: Path) -> None:
    from sekisho.client.local import LocalAuthorizer

    (statement,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place:
        caller = place.house.user("service", f'{{"Version":"2012-10-17","Statement":[{statement}]}}', allow("authorize:Authorize"))
        with place.client(caller) as client, LocalAuthorizer(client, otherwise="refuse") as authorizer:
            assert authorizer.wait_until_ready(60)
            assert not authorizer.authorize(action="orders:GetOrder", resource="*")
