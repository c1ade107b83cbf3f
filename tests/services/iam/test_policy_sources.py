"""Policies with their texts, as simulations know them."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.services.iam import policy_sources
from sekisho.store.tables import Policy
from tests.calls.fakes import ACCOUNT, NEVER
from tests.services.iam.documents import allow


@pytest.mark.parametrize(("account", "kind"), [("aws", "aws-managed"), (ACCOUNT, "user-managed")])
def test_a_managed_policy_is_its_version_in_force(account: str, kind: str) -> None:
    row = Policy(id="ANPA", account_id=account, name="p", path="/x/", default_version=3)
    text = allow("s3:Get")
    session = SimpleNamespace(get_one=lambda table, key: SimpleNamespace(document={("ANPA", 3): text}[key]))
    call: Any = SimpleNamespace(deadline=NEVER, session=session)
    found = policy_sources.managed(call, row)
    named = f"arn:aws:iam::{account}:policy/x/p"
    assert (found.kind, found.name, found.id, found.arn, found.text) == (kind, "p", "p", named, text)
    assert (found.attached.arn, found.attached.version) == (named, "v3")
