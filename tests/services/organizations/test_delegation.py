"""What is delegated: services to accounts, and what the organization's own policy allows its members."""

import json
from typing import Any

from sekisho.sigv4 import Credentials
from tests.services.iam.documents import allow
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import SCP, Organization, deny

CONFIG = "config.amazonaws.com"
DENIED = ("AccessDenied", "You don't have permissions to access this resource.")


def delegate(account_id: str, *actions: str, **more: Any) -> str:
    """A resource policy that lets an account do something."""
    statement = {"Effect": "Allow", "Principal": {"AWS": account_id}, "Action": list(actions), "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_services_get_access_and_lose_it(org: Organization, failing: Failing) -> None:
    for _ in range(2):
        org("EnableAWSServiceAccess", service_principal=CONFIG)
    org("EnableAWSServiceAccess", service_principal="port.example.com")
    found = org("ListAWSServiceAccessForOrganization").enabled_service_principals
    assert [one.service_principal for one in found] == [CONFIG, "port.example.com"]
    org("DisableAWSServiceAccess", service_principal="port.example.com")
    org("DisableAWSServiceAccess", service_principal="port.example.com")
    assert len(org("ListAWSServiceAccessForOrganization").enabled_service_principals) == 1
    assert failing("EnableAWSServiceAccess", service_principal="x") == ("InvalidInput", "UNRECOGNIZED_SERVICE_PRINCIPAL")


def test_an_account_is_registered_for_a_service(org: Organization, failing: Failing) -> None:
    member = org.account("audit")
    asked: dict[str, Any] = {"account_id": member, "service_principal": CONFIG}
    assert failing("RegisterDelegatedAdministrator", **asked) == ("ConstraintViolation", "SERVICE_ACCESS_NOT_ENABLED")
    org("EnableAWSServiceAccess", service_principal=CONFIG)
    org("RegisterDelegatedAdministrator", **asked)
    assert failing("RegisterDelegatedAdministrator", **asked)[0] == "AccountAlreadyRegistered"
    own = failing("RegisterDelegatedAdministrator", **(asked | {"account_id": org.management}))
    assert own == ("ConstraintViolation", "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR")
    assert failing("RegisterDelegatedAdministrator", **(asked | {"account_id": "123456789012"}))[0] == "AccountNotFound"
    (found,) = org("ListDelegatedAdministrators").delegated_administrators
    assert (found.id, found.name, found.status, found.joined_method) == (member, "audit", "ACTIVE", "CREATED")
    assert list(org("ListDelegatedAdministrators", service_principal="other.example.com").delegated_administrators) == []
    services = org("ListDelegatedServicesForAccount", account_id=member).delegated_services
    assert [one.service_principal for one in services] == [CONFIG]
    kept = ("ConstraintViolation", "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG")
    assert failing("RemoveAccountFromOrganization", account_id=member) == kept
    still = failing("DisableAWSServiceAccess", service_principal=CONFIG)
    assert still == ("ConstraintViolation", "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE")
    org("DeregisterDelegatedAdministrator", **asked)
    assert failing("DeregisterDelegatedAdministrator", **asked)[0] == "AccountNotRegistered"
    assert failing("ListDelegatedServicesForAccount", account_id=member)[0] == "AccountNotRegistered"
    closed = org.account()
    org("CloseAccount", account_id=closed)
    refused = failing("RegisterDelegatedAdministrator", **(asked | {"account_id": closed}))
    assert refused == ("ConstraintViolation", "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR")


def test_a_delegated_administrator_reads_and_changes_nothing(org: Organization, failing: Failing) -> None:
    member = org.account()
    keys = org.inside(member)
    org("EnableAWSServiceAccess", service_principal=CONFIG)
    org("RegisterDelegatedAdministrator", account_id=member, service_principal=CONFIG)
    policy_id = org.policy(deny("a:b"))
    assert {account.id for account in org("ListAccounts", keys).accounts} == {org.management, member}
    assert org("DescribePolicy", keys, policy_id=policy_id).policy.content == deny("a:b")
    assert [root.id for root in org("ListRoots", keys).roots] == [org.root_id]
    assert failing("CreateOrganizationalUnit", keys, parent_id=org.root_id, name="u") == DENIED
    assert failing("DeletePolicy", keys, policy_id=policy_id) == DENIED
    ann = org.house.call
    ann("CreateUser", _as=keys, user_name="ann")
    key = ann("CreateAccessKey", _as=keys, user_name="ann").access_key
    bare = Credentials(key.access_key_id, key.secret_access_key)
    assert failing("ListAccounts", bare)[0] == "AccessDenied"  # for want of a policy of her own
    ann("PutUserPolicy", _as=keys, user_name="ann", policy_name="p", policy_document=allow("organizations:List*"))
    assert len(org("ListAccounts", bare).accounts) == 2


def test_the_organizations_policy_delegates_what_is_about_policies(org: Organization, failing: Failing) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    dev = org.unit("dev")
    member, other = org.account(), org.account()
    keys = org.inside(member)
    assert failing("ListPolicies", keys, filter=SCP) == DENIED
    put = org(
        "PutResourcePolicy",
        content=delegate(member, "organizations:ListPolicies", "organizations:CreatePolicy", "organizations:AttachPolicy"),
    ).resource_policy
    summary = put.resource_policy_summary
    assert summary.arn == f"arn:aws:organizations::{org.management}:resourcepolicy/{org.id}/{summary.id}"
    assert org("DescribeResourcePolicy").resource_policy == put
    made = org("CreatePolicy", keys, content=deny("a:b"), description="", name="n", type=SCP).policy.policy_summary.id
    org("AttachPolicy", keys, policy_id=made, target_id=dev)
    assert made in [one.id for one in org("ListPolicies", keys, filter=SCP).policies]
    assert failing("DetachPolicy", keys, policy_id=made, target_id=dev) == DENIED
    assert failing("ListPolicies", org.inside(other), filter=SCP) == DENIED
    typed = {"StringEquals": {"organizations:PolicyType": "TAG_POLICY"}}
    again = org("PutResourcePolicy", content=delegate(member, "organizations:ListPolicies", Condition=typed)).resource_policy
    assert again.resource_policy_summary.id == summary.id
    assert failing("ListPolicies", keys, filter=SCP) == DENIED
    assert list(org("ListPolicies", keys, filter="TAG_POLICY").policies) == []
    org("DeleteResourcePolicy")
    assert failing("ListPolicies", keys, filter="TAG_POLICY") == DENIED
    for name in ("DescribeResourcePolicy", "DeleteResourcePolicy"):
        assert failing(name)[0] == "ResourcePolicyNotFound"


def test_a_denial_by_the_members_own_scp_counts(org: Organization, failing: Failing) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    member = org.account()
    keys = org.inside(member)
    org("PutResourcePolicy", content=delegate(member, "organizations:List*"))
    assert len(org("ListRoots", keys).roots) == 1
    org.attach(org.policy(deny("organizations:ListRoots")), member)
    code, message = failing("ListRoots", keys)
    assert (code, "service control policy" in message) == ("AccessDenied", True)


def test_only_some_things_are_delegated_and_only_to_members(org: Organization, failing: Failing) -> None:
    member = org.account()

    def put(content: str) -> tuple[str, str]:
        return failing("PutResourcePolicy", content=content)

    unsupported = ("InvalidInput", "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY")
    for action in ("organizations:CreateAccount", "organizations:*", "*", "iam:ListUsers", "organizations:PutResourcePolicy"):
        assert put(delegate(member, action)) == unsupported
    assert put(delegate("123456789012", "organizations:ListRoots")) == ("InvalidInput", "INVALID_PRINCIPAL")
    assert put(delegate("*", "organizations:ListRoots")) == ("InvalidInput", "INVALID_PRINCIPAL")
    assert put("{") == ("InvalidInput", "INVALID_RESOURCE_POLICY_JSON")
    assert failing("DescribeResourcePolicy")[0] == "ResourcePolicyNotFound"


def test_tags_of_everything_that_has_them(org: Organization, failing: Failing) -> None:
    policy_id = org.policy(deny("a:b"))
    own = org("PutResourcePolicy", content=delegate(org.management, "organizations:ListRoots")).resource_policy.resource_policy_summary.id
    for id_ in (org.root_id, org.unit("dev"), org.account(), policy_id, own):
        org("TagResource", resource_id=id_, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}])
        org("TagResource", resource_id=id_, tags=[{"key": "a", "value": "2"}])
        org("UntagResource", resource_id=id_, tag_keys=["b", "c"])
        assert [(tag.key, tag.value) for tag in org("ListTagsForResource", resource_id=id_).tags] == [("a", "2")]
    for name, fields in (("TagResource", {"tags": [{"key": "a", "value": "1"}]}), ("UntagResource", {"tag_keys": ["a"]})):
        for id_ in ("ou-abcd-12345678", "123456789012", "p-12345678", "rp-1234", "r-abcd"):
            assert failing(name, resource_id=id_, **fields)[0] == "TargetNotFound"
        assert failing(name, resource_id="p-FullAWSAccess", **fields) == ("InvalidInput", "TARGET_NOT_SUPPORTED")
    many = [{"key": f"k{number}", "value": "v"} for number in range(50)]
    assert failing("TagResource", resource_id=org.root_id, tags=many) == ("ConstraintViolation", "MAX_TAG_LIMIT_EXCEEDED")
    org("TagResource", resource_id=org.root_id, tags=many[:49])
    first = org("ListTagsForResource", resource_id=org.root_id)
    second = org("ListTagsForResource", resource_id=org.root_id, next_token=first.next_token)
    third = org("ListTagsForResource", resource_id=org.root_id, next_token=second.next_token)
    assert (len(first.tags), len(second.tags), len(third.tags), third.next_token) == (20, 20, 10, "")
