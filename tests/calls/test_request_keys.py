"""The condition keys of a call: of its connection, its request and its resource."""

from typing import Any

import pytest

from sekisho.calls import request_keys
from sekisho.calls.call import Peer
from sekisho.operations import Resource
from tests.harness import BY_NAME

BARE = {**request_keys.OF_SERVICE, "aws:securetransport": "false"}


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Have each test read the descriptors itself."""
    request_keys._annotated.cache_clear()


@pytest.mark.parametrize(
    ("peer", "keys"),
    [
        (Peer(), {}),
        (Peer(secure=True), {"aws:securetransport": "true"}),
        (Peer("192.0.2.1"), {"aws:sourceip": "192.0.2.1"}),
        (Peer(user_agent="tests"), {"aws:useragent": "tests"}),
        (
            Peer("192.0.2.1", "tests", secure=True, tls="{}"),
            {"aws:sourceip": "192.0.2.1", "aws:useragent": "tests", "aws:securetransport": "true"},
        ),
    ],
)
def test_where_a_call_comes_from(peer: Peer, keys: dict[str, str]) -> None:
    assert request_keys.of_connection(peer) == BARE | keys
    assert request_keys.OF_SERVICE  # is not written to
    assert "aws:securetransport" not in request_keys.OF_SERVICE


TAGS = [{"key": "Team", "value": "a"}, {"key": "area", "value": "B"}]
ASKED = {"aws:tagkeys": ("Team", "area"), "aws:requesttag/team": "a", "aws:requesttag/area": "B"}
TEAM = {"aws:tagkeys": ("Team",), "aws:requesttag/team": "a"}
POLICY = "arn:aws:iam::111122223333:policy/p"
RESOURCES = ["arn:aws:orders:::order/1", "arn:aws:orders:::order/2"]


@pytest.mark.parametrize(
    ("name", "fields", "keys"),
    [
        ("GetUser", {"user_name": "ann"}, {}),
        ("AttachUserPolicy", {"user_name": "ann", "policy_arn": POLICY}, {"iam:policyarn": POLICY}),
        ("AttachUserPolicy", {"user_name": "ann"}, {}),
        ("AttachUserPolicy", {"policy_arn": ""}, {"iam:policyarn": ""}),
        ("CreateUser", {"user_name": "ann"}, {}),
        ("CreateUser", {"tags": TAGS}, ASKED),
        ("CreateUser", {"permissions_boundary": POLICY}, {"iam:permissionsboundary": POLICY}),
        ("UntagUser", {"tag_keys": ["Team", "area"]}, {"aws:tagkeys": ("Team", "area")}),
        ("UntagUser", {"user_name": "ann"}, {}),
        ("AssumeRole", {"transitive_tag_keys": ["Team", "area"]}, {"sts:transitivetagkeys": ("Team", "area")}),
        ("AssumeRole", {"tags": TAGS[:1], "duration_seconds": 900}, TEAM),
        ("cloudtrail:AddTags", {"tags_list": TAGS}, ASKED),
        ("tagging:TagResources", {"resource_arn_list": RESOURCES, "tags": {"Team": "a", "area": "B"}}, ASKED),
    ],
)
def test_what_a_request_asks_for(name: str, fields: dict[str, Any], keys: dict[str, Any]) -> None:
    found = request_keys.of_request(BY_NAME[name].request(**fields))
    if "tagging" in name:
        found["aws:tagkeys"] = tuple(sorted(found["aws:tagkeys"]))  # a map has no order
    assert found == keys


def test_the_keys_of_a_resource_are_in_lower_case() -> None:
    assert request_keys.of_resource(Resource("a", keys={"iam:PolicyARN": "X"})) == {"iam:policyarn": "X"}
