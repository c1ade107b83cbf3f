"""Reports on what the accounts of an organization may use by its policies, and what they used."""

import time
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.store.tables import Access
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.organizations.tree import SCP, Organization, deny

FULL = "p-FullAWSAccess"
NOBODY = "00000000-0000-4000-8000-000000000000"
SHOP = ("s3", "shop", "sqs")


@pytest.fixture
def limited(org: Organization) -> Organization:
    """An organization in which service control policies are in force."""
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    return org


def report(org: Organization, path: str, **fields: Any) -> Any:
    job = org.house.call("GenerateOrganizationsAccessReport", entity_path=path, **fields).job_id
    found = org.house.call("GetOrganizationsAccessReport", job_id=job, max_items=1000)
    assert (found.job_status, found.is_truncated, found.HasField("marker")) == ("COMPLETED", False, False)
    assert len(found.access_details) == found.number_of_services_accessible
    return found


def services(org: Organization, path: str, **fields: Any) -> list[str]:
    """Those of a few services that a report names."""
    return [one.service_namespace for one in report(org, path, **fields).access_details if one.service_namespace in SHOP]


def uses(org: Organization, account_id: str, service: str) -> None:
    """Have an administrator of an account ask for something of a service, and wait until that is known."""
    keys: sigv4.Credentials = org.inside(account_id) if account_id != org.management else org.admin
    org.house.call("Authorize", _as=keys, action=f"{service}:Read", resource="*")
    org.house.node.accesses.flush()
    limit = time.monotonic() + 60
    wanted = Access.account_id == account_id, Access.service == service
    while True:
        with org.house.node.database.read() as session:
            if session.query(Access).where(*wanted).count():
                return
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_every_level_on_the_way_leaves_a_service_open_or_not(limited: Organization) -> None:
    work = limited.unit("work")
    member = limited.account(parent=work)
    root = f"{limited.id}/{limited.root_id}"
    limited.attach(limited.policy(allow("s3:*", "shop:Read", "sqs:*")), work)
    limited.detach(FULL, work)
    assert services(limited, f"{root}/{work}") == ["s3", "shop", "sqs"]
    limited.attach(limited.policy(deny("sqs:*")), limited.root_id)
    limited.attach(limited.policy(deny("s3:GetObject", "s3:Put*")), member)
    limited.attach(limited.policy(deny("shop:*", Condition={"Bool": {"aws:SecureTransport": "false"}})), member)
    assert services(limited, f"{root}/{work}/{member}") == ["s3", "shop"]
    limited.attach(limited.policy(deny("s3:*")), member)
    assert services(limited, f"{root}/{work}/{member}/") == ["shop"]
    assert services(limited, f"{root}/{work}/") == ["s3", "shop"]
    only = limited.policy(allow("sqs:Send*"))
    assert services(limited, f"{root}/{work}", organizations_policy_id=only) == ["sqs"]
    assert "s3" in services(limited, root, organizations_policy_id=FULL)
    assert "sqs" in services(limited, f"{root}/{limited.management}")


def test_the_last_use_is_that_of_the_accounts_in_the_entity(limited: Organization) -> None:
    work = limited.unit("work")
    one, two = limited.account(parent=work), limited.account()
    root = f"{limited.id}/{limited.root_id}"
    for account_id in (one, two, limited.management):
        uses(limited, account_id, "shop")
    found = {detail.service_namespace: detail for detail in report(limited, root).access_details}
    assert found["shop"].total_authenticated_entities == 2
    assert found["shop"].entity_path == f"{root}/{two}/"
    assert not found["sqs"].HasField("last_authenticated_time")
    assert (found["sqs"].service_name, found["sqs"].HasField("entity_path")) == ("Amazon SQS", False)
    whole = report(limited, f"{root}/{work}")
    used = [detail for detail in whole.access_details if detail.HasField("last_authenticated_time")]
    assert {detail.entity_path for detail in used} == {f"{root}/{work}/{one}/"}
    assert whole.number_of_services_accessible - whole.number_of_services_not_accessed == len(used)
    own = {detail.service_namespace: detail for detail in report(limited, f"{root}/{limited.management}").access_details}
    assert own["shop"].entity_path == f"{root}/{limited.management}/"


def test_a_report_is_sorted_and_paged(limited: Organization) -> None:
    member = limited.account()
    for service in ("shop", "aardvark"):
        uses(limited, member, service)
    call = limited.house.call
    job = call("GenerateOrganizationsAccessReport", entity_path=f"{limited.id}/{limited.root_id}").job_id

    def names(**fields: Any) -> list[str]:
        found: list[str] = []
        marker: dict[str, Any] = {}
        while True:
            page = call("GetOrganizationsAccessReport", job_id=job, max_items=50, **fields, **marker)
            assert len(page.access_details) <= 50
            found += [one.service_namespace for one in page.access_details]
            if not page.is_truncated:
                return found
            marker = {"marker": page.marker}

    rising = names()
    assert rising == sorted(rising)
    assert names(sort_key="SERVICE_NAMESPACE_DESCENDING") == rising[::-1]
    newest = names(sort_key="LAST_AUTHENTICATED_TIME_DESCENDING")
    oldest = names(sort_key="LAST_AUTHENTICATED_TIME_ASCENDING")
    assert newest.index("aardvark") < newest.index("shop")
    assert oldest.index("shop") < oldest.index("aardvark")
    assert sorted(newest) == sorted(oldest) == rising
    assert newest[-1] == oldest[-1] != "shop"


def test_only_the_management_account_asks_about_what_there_is(limited: Organization, refused: Refused) -> None:
    member = limited.account()
    root = f"{limited.id}/{limited.root_id}"
    asked: dict[str, Any] = {"entity_path": root}
    assert refused("GenerateOrganizationsAccessReport", limited.inside(member), **asked)[0] == "AccessDenied"
    assert refused("GenerateOrganizationsAccessReport", limited.house.account(), **asked)[0] == "AccessDenied"
    for path in (f"{limited.id}/r-abcd", f"o-0123456789/{limited.root_id}", f"{root}/ou-abcd-12345678", f"{root}/999999999999"):
        assert refused("GenerateOrganizationsAccessReport", entity_path=path)[0] == "InvalidInput"
    assert refused("GenerateOrganizationsAccessReport", entity_path="everything/and/more")[0] == "ValidationError"
    missing = refused("GenerateOrganizationsAccessReport", organizations_policy_id="p-12345678", **asked)
    assert missing == ("InvalidInput", "The policy p-12345678 does not exist in your organization.")
    assert refused("GetOrganizationsAccessReport", job_id=NOBODY) == ("NoSuchEntity", f"Job {NOBODY} was not found.")
    job = limited.house.call("GenerateOrganizationsAccessReport", **asked).job_id
    assert refused("GetOrganizationsAccessReport", limited.inside(member), job_id=job)[0] == "AccessDenied"
    only = f"arn:aws:iam::{limited.management}:access-report/{root}"
    clerk = limited.house.user("clerk", allow("iam:GenerateOrganizationsAccessReport", on=only))
    limited.house.call("GenerateOrganizationsAccessReport", _as=clerk, **asked)
    assert refused("GenerateOrganizationsAccessReport", clerk, entity_path=f"{root}/{member}")[0] == "AccessDenied"
    limited("DisablePolicyType", root_id=limited.root_id, policy_type=SCP)
    assert refused("GenerateOrganizationsAccessReport", **asked)[0] == "InvalidInput"


def test_a_report_about_what_is_gone_has_failed(limited: Organization) -> None:
    work = limited.unit("work")
    call = limited.house.call
    job = call("GenerateOrganizationsAccessReport", entity_path=f"{limited.id}/{limited.root_id}/{work}").job_id
    limited("DeleteOrganizationalUnit", organizational_unit_id=work)
    found = call("GetOrganizationsAccessReport", job_id=job)
    assert (found.job_status, found.error_details.code, list(found.access_details)) == ("FAILED", "InvalidInput", [])
