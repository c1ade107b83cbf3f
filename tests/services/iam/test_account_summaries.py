"""What an account holds, in numbers, over the whole pipeline."""

import botocore.session
import pytest

from sekisho.store.tables import Authenticator
from sekisho.store.tables.mfa_devices import HARDWARE
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2
from tests.services.iam.mfa import enabled, phone


def summary(house: House) -> dict[str, int]:
    return dict(house.call("GetAccountSummary").summary_map)


def test_an_empty_account_has_every_number_that_aws_names(house: House) -> None:
    found = summary(house)
    key = botocore.session.get_session().get_service_model("iam").shape_for("summaryMapType").key
    assert set(key.enum) <= set(found)
    assert {name: value for name, value in found.items() if not name.endswith("Quota") and value} == {
        "AccountAccessKeysPresent": 1,
        "GlobalEndpointTokenVersion": 2,
    }
    assert {name: value for name, value in found.items() if name.endswith("Quota")} == {
        "AccessKeysPerUserQuota": 2,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 20,
        "AttachedPoliciesPerUserQuota": 10,
        "GroupPolicySizeQuota": 5120,
        "GroupsPerUserQuota": 10,
        "GroupsQuota": 300,
        "InstanceProfilesQuota": 1000,
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUseQuota": 10000,
        "RolePolicySizeQuota": 10240,
        "RolesQuota": 1000,
        "ServerCertificatesQuota": 20,
        "SigningCertificatesPerUserQuota": 2,
        "UserPolicySizeQuota": 2048,
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    }


@pytest.mark.usefixtures("stopped_clock")
def test_what_there_is_is_counted(house: House) -> None:
    for number in range(3):
        house.call("CreateUser", user_name=f"u{number}")
    house.call("CreateGroup", group_name="g")
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    arn = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    house.call("CreatePolicyVersion", policy_arn=arn, policy_document=LIST_BUCKETS)
    house.call("CreateInstanceProfile", instance_profile_name="i")
    enabled(house, "u0")
    phone(house, "spare")
    house.call("CreateUser", _as=house.account(), user_name="elsewhere")
    found = summary(house)
    assert {
        name: found[name] for name in found if not name.endswith("Quota") and found[name] and not name.startswith(("Account", "Global"))
    } == {
        "Users": 3,
        "Groups": 1,
        "Roles": 1,
        "Policies": 1,
        "PolicyVersionsInUse": 2,
        "InstanceProfiles": 1,
        "MFADevices": 2,
        "MFADevicesInUse": 1,
    }


def test_devices_that_are_not_virtual_count_too(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    ann = house.call("GetUser", user_name="ann").user.user_id
    with house.node.database.write((house.account_id,)) as session:
        for number, owner in enumerate((ann, house.account_id, None)):
            columns = {"account_id": house.account_id, "owner_id": owner, "kind": HARDWARE, "created_at": clock.now()}
            session.add(Authenticator(id=f"{house.account_id}-{number}", serial=f"hardware-{number}", **columns))
    found = summary(house)
    assert (found["MFADevices"], found["MFADevicesInUse"], found["AccountMFAEnabled"]) == (3, 2, 1)


def test_the_form_of_tokens_that_an_account_prefers(house: House, refused: Refused) -> None:
    house.call("SetSecurityTokenServicePreferences", global_endpoint_token_version="v1Token")
    assert summary(house)["GlobalEndpointTokenVersion"] == 1
    house.call("SetSecurityTokenServicePreferences", global_endpoint_token_version="v2Token")
    assert summary(house)["GlobalEndpointTokenVersion"] == 2
    assert refused("SetSecurityTokenServicePreferences", global_endpoint_token_version="v3Token")[0] == "ValidationError"
    assert (
        refused("SetSecurityTokenServicePreferences", _as=house.user("ann"), global_endpoint_token_version="v1Token")[0] == "AccessDenied"
    )
