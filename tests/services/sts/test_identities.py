"""Whom credentials belong to."""

import json

from tests.harness import House
from tests.services.conftest import Refused


def test_everybody_may_ask_who_they_are(house: House) -> None:
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    ann = house.user("ann", deny)
    assert house.call("GetCallerIdentity", _as=ann).arn == f"arn:aws:iam::{house.account_id}:user/ann"
    identity = house.call("GetCallerIdentity")
    assert (identity.arn, identity.user_id) == (f"arn:aws:iam::{house.account_id}:root", house.account_id)


def test_a_key_id_tells_its_account(house: House, refused: Refused) -> None:
    ann = house.user("ann")
    assert house.call("GetAccessKeyInfo", access_key_id=ann.access_key_id).account == house.account_id
    said = "ValidationError", "Invalid access key id: AKIAIOSFODNN7EXAMPLE"
    assert refused("GetAccessKeyInfo", access_key_id="AKIAIOSFODNN7EXAMPLE") == said
