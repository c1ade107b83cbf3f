"""Organizations: how they begin and end."""

import re

from sekisho.store.tables import Organization as Row
from sekisho.store.tables import OrganizationPolicy, OrganizationTag, Target, Unit
from tests.harness import House
from tests.services.iam.documents import allow
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import SCP, Organization, deny

DENIED = ("AccessDenied", "You don't have permissions to access this resource.")


def test_an_organization_is_managed_by_who_makes_it(house: House) -> None:
    made = house.call("CreateOrganization").organization
    assert re.fullmatch("o-[a-z0-9]{10}", made.id)
    assert made.arn == f"arn:aws:organizations::{house.account_id}:organization/{made.id}"
    assert made.master_account_arn == f"arn:aws:organizations::{house.account_id}:account/{made.id}/{house.account_id}"
    assert (made.master_account_id, made.feature_set) == (house.account_id, "ALL")
    assert [(one.type, one.status) for one in made.available_policy_types] == [("SERVICE_CONTROL_POLICY", "ENABLED")]
    assert house.call("DescribeOrganization").organization == made
    (root,) = house.call("ListRoots").roots
    assert re.fullmatch("r-[a-z0-9]{4,32}", root.id)
    assert (root.name, list(root.policy_types)) == ("Root", [])
    assert root.arn == f"arn:aws:organizations::{house.account_id}:root/{made.id}/{root.id}"
    (account,) = house.call("ListAccounts").accounts
    assert (account.id, account.joined_method, account.status, account.state) == (house.account_id, "INVITED", "ACTIVE", "ACTIVE")


def test_an_account_has_one_organization(org: Organization, failing: Failing) -> None:
    assert failing("CreateOrganization")[0] == "AlreadyInOrganization"
    assert failing("CreateOrganization", org.inside(org.account()))[0] == "AlreadyInOrganization"


def test_who_is_in_none_is_told_so(house: House, failing: Failing) -> None:
    answer = ("AWSOrganizationsNotInUse", "Your account is not a member of an organization.")
    for name in ("DescribeOrganization", "ListAccounts", "ListRoots", "DeleteOrganization", "LeaveOrganization", "ListCreateAccountStatus"):
        assert failing(name) == answer
    assert failing("CreateAccount", email="a@example.com", account_name="a") == answer


def test_members_see_their_organization_and_change_nothing(org: Organization, failing: Failing) -> None:
    keys = org.inside(org.account())
    assert org("DescribeOrganization", keys).organization.id == org.id
    for name in ("ListAccounts", "ListRoots", "DeleteOrganization", "ListHandshakesForOrganization", "EnableAllFeatures"):
        assert failing(name, keys) == DENIED
    assert failing("CreateOrganizationalUnit", keys, parent_id=org.root_id, name="u") == DENIED


def test_only_an_empty_organization_is_deleted_with_all_that_is_its_own(org: Organization, failing: Failing) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    member, keys = org.invited()
    inner = org.unit("inner", org.unit("outer"))
    policy_id = org.policy(deny("orders:*"))
    org.attach(policy_id, inner)
    org("TagResource", resource_id=inner, tags=[{"key": "k", "value": "v"}])
    org("PutResourcePolicy", content=f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{member}"}},'
        '"Action":"organizations:ListRoots","Resource":"*"}]}')  # fmt: skip
    assert failing("DeleteOrganization")[0] == "OrganizationNotEmpty"
    org("RemoveAccountFromOrganization", account_id=member)
    org("DeleteOrganization")
    assert failing("DescribeOrganization")[0] == "AWSOrganizationsNotInUse"
    with org.house.node.database.read() as session:
        for table in (Unit, Target, OrganizationPolicy, OrganizationTag):
            assert session.query(table).filter_by(organization_id=org.id).count() == 0
        assert session.get(Row, org.id) is None
    again = org("CreateOrganization", keys).organization
    assert again.master_account_id == member


def test_a_member_leaves_and_the_management_account_cannot(org: Organization, failing: Failing) -> None:
    member, keys = org.invited()
    org("LeaveOrganization", keys)
    assert failing("DescribeOrganization", keys)[0] == "AWSOrganizationsNotInUse"
    assert [account.id for account in org("ListAccounts").accounts] == [org.management]
    assert failing("LeaveOrganization")[0] == "MasterCannotLeaveOrganization"
    assert failing("RemoveAccountFromOrganization", account_id=org.management)[0] == "MasterCannotLeaveOrganization"
    assert failing("RemoveAccountFromOrganization", account_id=member)[0] == "AccountNotFound"


def test_rules_are_broken_with_a_reason(org: Organization, failing: Failing) -> None:
    assert failing("DescribeAccount", account_id="12") == ("InvalidInput", "INVALID_PATTERN")
    assert failing("DescribeAccount") == ("InvalidInput", "INPUT_REQUIRED")
    assert failing("ListAccounts", max_results=21) == ("InvalidInput", "MAX_VALUE_EXCEEDED")
    assert failing("ListAccounts", max_results=0) == ("InvalidInput", "MIN_VALUE_EXCEEDED")
    assert failing("ListPolicies", filter="NOTHING") == ("InvalidInput", "INVALID_ENUM")
    assert failing("CreateOrganizationalUnit", parent_id=org.root_id, name="n" * 129) == ("InvalidInput", "MAX_LENGTH_EXCEEDED")
    assert failing("CreateOrganizationalUnit", parent_id=org.root_id, name="") == ("InvalidInput", "MIN_LENGTH_EXCEEDED")


def test_callers_need_permission_by_their_own_policies(org: Organization, failing: Failing) -> None:
    unit = org.unit("dev")
    named = f"arn:aws:organizations::{org.management}:ou/{org.id}/{unit}"
    ann = org.house.user("ann", allow("organizations:DescribeOrganizationalUnit", on=named))
    assert org("DescribeOrganizationalUnit", ann, organizational_unit_id=unit).organizational_unit.name == "dev"
    sentence = (
        f"User: arn:aws:iam::{org.management}:user/ann is not authorized to perform: organizations:ListRoots on resource: * "
        "because no identity-based policy allows the organizations:ListRoots action"
    )
    assert failing("ListRoots", ann) == ("AccessDenied", sentence)
    code, message = failing("DeleteOrganizationalUnit", ann, organizational_unit_id=unit)
    assert (code, named in message) == ("AccessDenied", True)


def test_what_tags_and_types_are_decides_too(org: Organization, failing: Failing) -> None:
    ours, theirs = org.unit("ours"), org.unit("theirs")
    org("TagResource", resource_id=ours, tags=[{"key": "team", "value": "port"}])
    tagged = allow("organizations:*", when={"StringEquals": {"aws:ResourceTag/team": "port"}})
    bob = org.house.user("bob", tagged)
    org("UpdateOrganizationalUnit", bob, organizational_unit_id=ours, name="renamed")
    assert failing("UpdateOrganizationalUnit", bob, organizational_unit_id=theirs, name="x")[0] == "AccessDenied"
    typed = allow("organizations:*", when={"StringEquals": {"organizations:PolicyType": "TAG_POLICY"}})
    eve = org.house.user("eve", typed)
    org("ListPolicies", eve, filter="TAG_POLICY")
    assert failing("ListPolicies", eve, filter=SCP)[0] == "AccessDenied"
    scp, tag = org.policy(deny("a:b")), org.policy('{"tags":{"a":{"tag_key":{"@@assign":"A"}}}}', "TAG_POLICY")
    org("DescribePolicy", eve, policy_id=tag)
    assert failing("DescribePolicy", eve, policy_id=scp)[0] == "AccessDenied"
