"""Quotas of one account, which an operator sets."""

from collections.abc import Callable

import pytest

from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.services.iam import quotas
from sekisho.store.tables import AuditRecord
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2


def make(house: House, quota: str, number: int) -> object:
    """One more of what a quota counts."""
    calls: dict[str, Callable[[], object]] = {
        "UsersQuota": lambda: house.call("CreateUser", user_name=f"u{number}"),
        "GroupsQuota": lambda: house.call("CreateGroup", group_name=f"g{number}"),
        "RolesQuota": lambda: house.call("CreateRole", role_name=f"r{number}", assume_role_policy_document=TRUST_EC2),
        "PoliciesQuota": lambda: house.call("CreatePolicy", policy_name=f"p{number}", policy_document=LIST_BUCKETS),
        "InstanceProfilesQuota": lambda: house.call("CreateInstanceProfile", instance_profile_name=f"i{number}"),
    }
    return calls[quota]()


@pytest.mark.parametrize(
    ("quota", "name"),
    [
        ("UsersQuota", "Users"),
        ("GroupsQuota", "Groups"),
        ("RolesQuota", "Roles"),
        ("PoliciesQuota", "Policies"),
        ("InstanceProfilesQuota", "InstanceProfiles"),
    ],
)
def test_a_quota_is_the_accounts_own(house: House, quota: str, name: str) -> None:
    accounts.set_quota(house.node.database, house.account_id, quota, 2)
    assert house.call("GetAccountSummary").summary_map[quota] == 2
    make(house, quota, 1)
    make(house, quota, 2)
    with pytest.raises(SekishoError) as caught:
        make(house, quota, 3)
    assert (caught.value.code, caught.value.message) == ("LimitExceeded", f"Cannot exceed quota for {name}PerAccount: 2")
    accounts.set_quota(house.node.database, house.account_id, quota, 3)
    make(house, quota, 3)
    assert house.call("GetAccountSummary", _as=house.account()).summary_map[quota] > 3


def test_a_quota_below_what_there_is_takes_nothing_away(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="ann")
    accounts.set_quota(house.node.database, house.account_id, "UsersQuota", 0)
    assert house.call("GetUser", user_name="ann").user.user_name == "ann"
    assert refused("CreateUser", user_name="bob") == ("LimitExceeded", "Cannot exceed quota for UsersPerAccount: 0")


@pytest.mark.parametrize(
    ("account", "quota", "value", "said"),
    [
        ("", "GroupsPerUserQuota", 20, "`GroupsPerUserQuota` is no quota that can be set; those are GroupsQuota, "),
        ("", "UsersQuota", -1, "`-1` is not between 0 and 1000000"),
        ("123", "UsersQuota", 1, "there is no account `123`"),
        ("aws", "PoliciesQuota", 1, "there is no account `aws`"),
    ],
)
def test_what_cannot_be_set(house: House, account: str, quota: str, value: int, said: str) -> None:
    with pytest.raises(SekishoError, match=said):
        accounts.set_quota(house.node.database, account or house.account_id, quota, value)


def test_who_set_it_is_on_record(house: House) -> None:
    accounts.set_quota(house.node.database, house.account_id, "UsersQuota", 9)
    with house.node.database.read() as session:
        record = session.query(AuditRecord).filter_by(account_id=house.account_id, event_name="RequestServiceQuotaIncrease").one()
    assert (record.principal_id, record.request) == ("local-operator", '{"quotaCode": "UsersQuota", "desiredValue": 9}')


def test_every_quota_has_a_sentence() -> None:
    assert quotas._SENTENCES.keys() == quotas.QUOTAS.keys()
