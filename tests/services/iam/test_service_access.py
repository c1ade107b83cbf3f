"""ListPoliciesGrantingServiceAccess and the reports on what was last accessed, over the whole pipeline."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sekisho import policy
from sekisho.services.iam import service_access
from sekisho.sigv4 import Credentials
from sekisho.store.tables import Access, AccessReport
from tests.calls.fakes import attached
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow, trust

NOBODY = "00000000-0000-4000-8000-000000000000"


def granting(house: House, resource: str, *namespaces: str) -> list[list[str]]:
    arn = f"arn:aws:iam::{house.account_id}:{resource}"
    entries = house.call("ListPoliciesGrantingServiceAccess", arn=arn, service_namespaces=namespaces).policies_granting_service_access
    assert [entry.service_namespace for entry in entries] == list(namespaces)
    return [[policy.policy_name for policy in entry.policies] for entry in entries]


def test_policies_of_a_user_and_its_groups_by_service(house: House) -> None:
    house.user("alice", allow("s3:GetObject", "sqs:Send*"))
    house.call("CreateGroup", group_name="g")
    house.call("AddUserToGroup", user_name="alice", group_name="g")
    house.call("PutGroupPolicy", group_name="g", policy_name="shared", policy_document=allow("S3:*"))
    managed = house.call("CreatePolicy", policy_name="managed", policy_document=allow("*")).policy.arn
    house.call("AttachGroupPolicy", group_name="g", policy_arn=managed)
    assert granting(house, "user/alice", "s3", "sqs", "ec2") == [["inline-0", "shared", "managed"], ["inline-0", "managed"], ["managed"]]
    assert granting(house, "group/g", "sqs") == [["managed"]]
    found = house.call("ListPoliciesGrantingServiceAccess", arn=f"arn:aws:iam::{house.account_id}:user/alice", service_namespaces=["s3"])
    assert (found.is_truncated, found.HasField("marker")) == (False, False)
    inline, shared, whole = found.policies_granting_service_access[0].policies
    assert (inline.policy_type, inline.entity_type, inline.entity_name, inline.HasField("policy_arn")) == ("INLINE", "USER", "alice", False)
    assert (shared.policy_type, shared.entity_type, shared.entity_name) == ("INLINE", "GROUP", "g")
    assert (whole.policy_type, whole.policy_arn, whole.HasField("entity_type")) == ("MANAGED", managed, False)


@pytest.mark.parametrize(
    ("statement", "grants"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "S3:GetObject", "Resource": "arn:aws:s3:::b/*"}, True),
        ({"Effect": "Allow", "Action": "s3-outposts:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}, True),
        ({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}, False),
    ],
    ids=["everything", "one_action", "longer_name", "not_one", "not_all", "not_anything", "not_another", "deny"],
)
def test_which_statements_grant(house: House, statement: dict[str, Any], grants: bool) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=document)
    assert granting(house, "role/r", "s3") == [["p"] if grants else []]


def test_a_marker_is_of_no_use(house: House, refused: Refused) -> None:
    arn = f"arn:aws:iam::{house.account_id}:user/none"
    fields: dict[str, Any] = {"arn": arn, "service_namespaces": ["s3"]}
    assert refused("ListPoliciesGrantingServiceAccess", marker="m", **fields) == ("ValidationError", "Invalid Marker.")
    assert refused("ListPoliciesGrantingServiceAccess", **fields) == ("NoSuchEntity", f"ARN {arn} was not found.")


class Shop:
    """Two users in a group, a role that one of them assumes, and what they asked for."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.account = f"arn:aws:iam::{house.account_id}"
        self.alice = house.user("alice", allow("authorize:*", "sts:AssumeRole"))
        self.bob = house.user("bob", allow("authorize:*"))
        house.call("CreateUser", user_name="carol")
        house.call("CreateGroup", group_name="g")
        for name in ("alice", "bob", "carol"):
            house.call("AddUserToGroup", user_name=name, group_name="g")
        document = allow("shop:*", "s3:GetObject")
        self.policy = house.call("CreatePolicy", policy_name="shop", policy_document=document).policy.arn
        house.call("AttachGroupPolicy", group_name="g", policy_arn=self.policy)
        house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"{self.account}:user/alice"))
        house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=allow("shop:Read", "authorize:*"))

    def ask(self, who: Credentials, action: str, resource: str = "arn:shop:shop:eu-central-1::order/1") -> None:
        self.house.call("Authorize", _as=who, action=action, resource=resource)

    def report(self, resource: str, **fields: Any) -> str:
        arn = resource if resource.startswith("arn:") else f"{self.account}:{resource}"
        job: str = self.house.call("GenerateServiceLastAccessedDetails", arn=arn, **fields).job_id
        return job

    def known(self, *expected: tuple[str, str]) -> None:
        """Wait until the spool has brought these accesses, by service and action."""
        self.house.node.accesses.flush()

        def there() -> bool:
            with self.house.node.database.read() as session:
                rows = session.query(Access).where(Access.account_id == self.house.account_id)
                return set(expected) <= {(row.service, row.action) for row in rows}

        eventually(there)


def eventually(there: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not there():
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


def test_a_report_says_which_services_were_used(shop: Shop) -> None:
    shop.ask(shop.alice, "shop:Read")
    shop.ask(shop.alice, "shop:Write")
    shop.ask(shop.alice, "elsewhere:Look")
    shop.known(("shop", "Read"), ("shop", "Write"), ("elsewhere", "Look"), ("authorize", "Authorize"))
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=shop.report("user/alice"))
    assert (got.job_status, got.job_type, got.job_creation_date == got.job_completion_date) == ("COMPLETED", "SERVICE_LEVEL", True)
    assert [one.service_namespace for one in got.services_last_accessed] == ["authorize", "s3", "shop", "sts"]
    assert [one.service_name for one in got.services_last_accessed] == ["authorize", "Amazon S3", "shop", "AWS Security Token Service"]
    _, s3, used, _ = got.services_last_accessed
    assert (s3.HasField("last_authenticated"), s3.total_authenticated_entities) == (False, 0)
    assert (used.last_authenticated_entity, used.last_authenticated_region) == (f"{shop.account}:user/alice", "eu-central-1")
    assert (used.total_authenticated_entities, list(used.tracked_actions_last_accessed)) == (1, [])


def test_a_report_may_go_down_to_actions(shop: Shop) -> None:
    shop.ask(shop.alice, "shop:Write")
    shop.ask(shop.bob, "shop:Read", "arn:shop:shop:::order/1")
    shop.known(("shop", "Read"), ("shop", "Write"))
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=shop.report(shop.policy, granularity="ACTION_LEVEL"))
    assert got.job_type == "ACTION_LEVEL"
    assert [one.service_namespace for one in got.services_last_accessed] == ["s3", "shop"]
    used = got.services_last_accessed[1]
    assert used.total_authenticated_entities == 2
    tracked = [(one.action_name, one.last_accessed_entity, one.last_accessed_region) for one in used.tracked_actions_last_accessed]
    assert tracked == [("Read", f"{shop.account}:user/bob", ""), ("Write", f"{shop.account}:user/alice", "eu-central-1")]


def test_sessions_count_for_their_role(shop: Shop) -> None:
    session = shop.house.assume(f"{shop.account}:role/r", _as=shop.alice)
    shop.ask(session, "shop:Read")
    shop.known(("shop", "Read"))
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=shop.report("role/r"))
    assert got.services_last_accessed[1].last_authenticated_entity == f"{shop.account}:role/r"
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=shop.report("user/alice"))
    assert [one.total_authenticated_entities for one in got.services_last_accessed if one.service_namespace == "shop"] == [0]


def test_attempts_that_were_denied_count_and_explanations_do_not(shop: Shop) -> None:
    shop.house.call("Explain", _as=shop.bob, request={"action": "s3:GetObject", "resource": "arn:aws:s3:::b/k"})
    shop.ask(shop.bob, "s3:PutObject", "arn:aws:s3:::b/k")
    shop.known(("s3", "PutObject"))
    job = shop.report("group/g", granularity="ACTION_LEVEL")
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=job)
    assert [one.action_name for one in got.services_last_accessed[0].tracked_actions_last_accessed] == ["PutObject"]


def test_calls_of_our_own_count(shop: Shop) -> None:
    caller = shop.house.user("caller", allow("iam:ListUsers"))
    shop.house.call("ListUsers", _as=caller)
    shop.known(("iam", "ListUsers"))
    got = shop.house.call("GetServiceLastAccessedDetails", job_id=shop.report("user/caller"))
    assert [(one.service_namespace, one.total_authenticated_entities) for one in got.services_last_accessed] == [("iam", 1)]


def test_who_used_a_service(shop: Shop) -> None:
    shop.ask(shop.bob, "shop:Read")
    shop.known(("shop", "Read"))
    job = shop.report("group/g")
    fields: dict[str, Any] = {"job_id": job, "service_namespace": "shop"}
    got = shop.house.call("GetServiceLastAccessedDetailsWithEntities", **fields)
    found = [(one.entity_info.name, one.entity_info.type, one.HasField("last_authenticated")) for one in got.entity_details_list]
    assert found == [("bob", "USER", True), ("alice", "USER", False), ("carol", "USER", False)]
    bob = got.entity_details_list[0].entity_info
    assert (bob.arn, bob.path, bob.id[:4]) == (f"{shop.account}:user/bob", "/", "AIDA")
    first = shop.house.call("GetServiceLastAccessedDetailsWithEntities", max_items=2, **fields)
    rest = shop.house.call("GetServiceLastAccessedDetailsWithEntities", marker=first.marker, **fields)
    assert [one.entity_info.name for one in (*first.entity_details_list, *rest.entity_details_list)] == ["bob", "alice", "carol"]
    assert (first.is_truncated, rest.is_truncated) == (True, False)


def test_services_have_pages(shop: Shop, refused: Refused) -> None:
    job = shop.report("user/alice")
    first = shop.house.call("GetServiceLastAccessedDetails", job_id=job, max_items=3)
    rest = shop.house.call("GetServiceLastAccessedDetails", job_id=job, marker=first.marker)
    found = [one.service_namespace for one in (*first.services_last_accessed, *rest.services_last_accessed)]
    assert (found, first.is_truncated, rest.is_truncated) == (["authorize", "s3", "shop", "sts"], True, False)
    other = shop.report("user/bob")
    assert refused("GetServiceLastAccessedDetails", job_id=other, marker=first.marker) == ("ValidationError", "Invalid Marker.")


CALLS = [("GetServiceLastAccessedDetails", {}), ("GetServiceLastAccessedDetailsWithEntities", {"service_namespace": "s3"})]


@pytest.mark.parametrize(("name", "fields"), CALLS)
def test_a_report_is_of_its_account_and_kept_for_a_week(shop: Shop, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    job = shop.report("user/alice")
    said = "Job {} was not found."
    assert refused(name, job_id=NOBODY, **fields) == ("NoSuchEntity", said.format(NOBODY))
    assert refused(name, _as=shop.house.account(), job_id=job, **fields) == ("NoSuchEntity", said.format(job))
    with shop.house.node.database.write((shop.house.account_id,)) as session:
        row = session.get_one(AccessReport, job)
        row.created_at -= timedelta(days=8)
    assert refused(name, job_id=job, **fields) == ("NoSuchEntity", said.format(job))
    shop.report("user/bob")
    with shop.house.node.database.read() as session:
        assert session.get(AccessReport, job) is None


@pytest.mark.parametrize(("name", "fields"), CALLS)
def test_a_report_on_somebody_who_is_gone(shop: Shop, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    shop.house.call("CreateUser", user_name="dave")
    job = shop.report("user/dave")
    shop.house.call("DeleteUser", user_name="dave")
    assert refused(name, job_id=job, **fields) == ("NoSuchEntity", f"ARN {shop.account}:user/dave was not found.")


def test_an_entity_that_is_not_there(shop: Shop, refused: Refused) -> None:
    arn = f"{shop.account}:user/nobody"
    assert refused("GenerateServiceLastAccessedDetails", arn=arn) == ("NoSuchEntity", f"ARN {arn} was not found.")
    arn = f"{shop.account}:root"
    assert refused("GenerateServiceLastAccessedDetails", arn=arn) == ("InvalidInput", f"Invalid Entity Arn: {arn}")


def document(*actions: str, **more: Any) -> policy.Policy:
    return attached(*actions, **more).program.policy


@pytest.mark.parametrize(
    ("actions", "granted"),
    [
        (("s3:Get",), True),
        (("S3:*",), True),
        (("*",), True),
        (("s*:Get",), True),
        (("s?:Get",), True),
        (("sqs:*", "s3:*"), True),
        (("s?s:Get",), False),
        (("sqs:*", "s3x:*"), False),
        (("q*:*",), False),
    ],
)
def test_a_service_that_is_named(actions: tuple[str, ...], granted: bool) -> None:
    assert service_access.grants(document(*actions), "S3") is service_access.grants(document(*actions), "s3") is granted
    assert not service_access.grants(document(*actions, effect="Deny"), "s3")


@pytest.mark.parametrize(
    ("excepted", "granted"),
    [
        (["*"], False),
        (["s3:*"], False),
        (["S3:**"], False),
        (["s*:*"], False),
        (["s3:Get"], True),
        (["s3:Get", "s3:*"], False),
        (["sqs:*"], True),
    ],
)
def test_a_service_that_is_not_all_excepted(excepted: list[str], granted: bool) -> None:
    statement = {"Effect": "Allow", "NotAction": excepted, "Resource": "*"}
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statement})).policy
    assert service_access.grants(made, "s3") is granted


@pytest.mark.parametrize(
    ("actions", "more", "denied"),
    [
        (["s3:*"], {}, True),
        (["*"], {}, True),
        (["sqs:*", "S3:*"], {}, True),
        (["s*:*"], {}, True),
        (["s3:*"], {"Resource": ["arn:aws:s3:::b", "*"]}, True),
        (["s3:*"], {"Resource": "arn:aws:s3:::*"}, False),
        (["s3:Get*"], {}, False),
        (["sqs:*"], {}, False),
        (["s3:*"], {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        (["s3:*"], {"effect": "Allow"}, False),
    ],
)
def test_a_service_that_is_denied_altogether(actions: list[str], more: dict[str, Any], denied: bool) -> None:
    assert service_access.denies(document(*actions, **{"effect": "Deny"} | more), "S3") is denied


def test_a_denial_of_all_but_something_is_none() -> None:
    statements = [
        {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "NotResource": "*"},
    ]
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statements})).policy
    assert not service_access.denies(made, "s3")
    assert not service_access.denies(made, "sqs")
    statements += [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statements})).policy
    assert service_access.denies(made, "s3")
    assert not service_access.denies(made, "sqs")


def test_services_that_are_named_or_known() -> None:
    known = {"s3", "sqs", "sns"}
    assert service_access.granted([document("Own:Read", "s3:Get"), document("sq*:*")], known) == {"own", "s3", "sqs"}
    assert service_access.granted([document("s?s:*")], known) == {"sqs", "sns"}
    assert service_access.granted([document("*")], known) == known
    assert service_access.granted([document("s3:*", effect="Deny")], known) == set()
    made = policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["own:*","s3:*"],"Resource":"*"}]}').policy
    assert service_access.granted([made], known) == {"sqs", "sns"}
    assert service_access.granted([], known) == set()
