"""Account aliases, over the whole pipeline."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.conftest import Refused


def aliases(house: House, caller: sigv4.Credentials | None = None) -> list[str]:
    return list(house.call("ListAccountAliases", _as=caller).account_aliases)


def test_an_account_has_one_alias(house: House, refused: Refused) -> None:
    mine = f"shop-{house.account_id}"
    assert aliases(house) == []
    house.call("CreateAccountAlias", account_alias=mine)
    assert refused("CreateAccountAlias", account_alias=mine) == ("EntityAlreadyExists", f"The account alias {mine} already exists.")
    house.call("CreateAccountAlias", account_alias=f"new-{mine}")
    assert aliases(house) == [f"new-{mine}"]
    assert refused("DeleteAccountAlias", account_alias=mine) == ("NoSuchEntity", f"The account alias with name {mine} cannot be found.")
    house.call("DeleteAccountAlias", account_alias=f"new-{mine}")
    assert aliases(house) == []


def test_no_two_accounts_have_the_same(house: House, refused: Refused) -> None:
    other, mine = house.account(), f"shop-{house.account_id}"
    house.call("CreateAccountAlias", account_alias=mine)
    assert refused("CreateAccountAlias", _as=other, account_alias=mine)[0] == "EntityAlreadyExists"
    assert refused("DeleteAccountAlias", _as=other, account_alias=mine)[0] == "NoSuchEntity"
    assert (aliases(house), aliases(house, other)) == ([mine], [])
    house.call("DeleteAccountAlias", account_alias=mine)
    house.call("CreateAccountAlias", _as=other, account_alias=mine)


def test_of_accounts_that_want_it_at_once_one_gets_it(house: House) -> None:
    accounts, alias = [house.account() for _ in range(6)], f"race-{house.account_id}"

    def tried(caller: sigv4.Credentials) -> str:
        try:
            house.call("CreateAccountAlias", _as=caller, account_alias=alias)
        except SekishoError as error:
            return error.code
        return "ok"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(tried, accounts)) == ["EntityAlreadyExists"] * 5 + ["ok"]


@pytest.mark.parametrize("alias", ["ab", "a" * 64, "Shop", "shop-", "-shop", "sh--op", "sh_op", "shöp"])
def test_what_is_no_alias(refused: Refused, alias: str) -> None:
    assert refused("CreateAccountAlias", account_alias=alias)[0] == "ValidationError"
