"""OpenID Connect providers, over the whole pipeline."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

URL = "https://token.actions.example.com/org"
THUMBPRINT = "a031c46782e6e6c662c2c87c76da9aa62ccabd8e"
INVALID_URL = ("ValidationError", "Invalid Open ID Connect Provider URL")


def create(house: House, url: str = URL, **fields: Any) -> str:
    arn: str = house.call("CreateOpenIDConnectProvider", url=url, **fields).open_id_connect_provider_arn
    return arn


def arn_of(house: House, name: str) -> str:
    return f"arn:aws:iam::{house.account_id}:oidc-provider/{name}"


def test_a_provider_is_what_was_said_of_it(house: House) -> None:
    made = house.call(
        "CreateOpenIDConnectProvider",
        url=URL,
        client_id_list=["sts.amazonaws.com", "b", "sts.amazonaws.com"],
        thumbprint_list=[THUMBPRINT],
        tags=[{"key": "k", "value": "v"}],
    )
    arn = arn_of(house, "token.actions.example.com/org")
    assert (made.open_id_connect_provider_arn, [(tag.key, tag.value) for tag in made.tags]) == (arn, [("k", "v")])
    got = house.call("GetOpenIDConnectProvider", open_id_connect_provider_arn=arn)
    assert (got.url, list(got.client_id_list)) == ("token.actions.example.com/org", ["sts.amazonaws.com", "b"])
    assert (list(got.thumbprint_list), got.create_date.nanos) == ([THUMBPRINT], 0)
    assert [(tag.key, tag.value) for tag in got.tags] == [("k", "v")]
    assert [one.arn for one in house.call("ListOpenIDConnectProviders").open_id_connect_provider_list] == [arn]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://accounts.example.com", "accounts.example.com"),
        ("https://Accounts.Example.com/Path", "accounts.example.com/Path"),
        ("https://tenant.example.com/", "tenant.example.com/"),
        ("https://keycloak/realms/Shop", "keycloak/realms/Shop"),
    ],
    ids=["host", "case_of_the_host", "trailing_slash", "one_word_and_a_path"],
)
def test_the_name_is_the_issuer_without_its_scheme(house: House, url: str, name: str) -> None:
    assert create(house, url) == arn_of(house, name)
    assert house.call("GetOpenIDConnectProvider", open_id_connect_provider_arn=arn_of(house, name)).url == name


@pytest.mark.parametrize(
    "url",
    [
        "http://accounts.example.com",
        "accounts.example.com",
        "https://",
        "https:///path",
        "https://accounts.example.com:8443",
        "https://user@accounts.example.com",
        "https://accounts.example.com?x=1",
        "https://accounts.example.com/#part",
        "https://accounts.example.com/a b",
        "https://-.example.com",
        "https://orders",
    ],
)
def test_what_is_no_issuer(house: House, refused: Refused, url: str) -> None:
    assert refused("CreateOpenIDConnectProvider", url=url) == INVALID_URL
    assert list(house.call("ListOpenIDConnectProviders").open_id_connect_provider_list) == []


def test_a_url_is_given_once(house: House, refused: Refused) -> None:
    create(house)
    assert refused("CreateOpenIDConnectProvider", url=URL) == ("EntityAlreadyExists", f"Provider with url {URL} already exists.")
    house.call("CreateOpenIDConnectProvider", _as=house.account(), url=URL)


def test_audiences_come_and_go(house: House) -> None:
    named: dict[str, Any] = {"open_id_connect_provider_arn": create(house, client_id_list=["a"])}
    for client_id in ("b", "b"):
        house.call("AddClientIDToOpenIDConnectProvider", client_id=client_id, **named)
    assert list(house.call("GetOpenIDConnectProvider", **named).client_id_list) == ["a", "b"]
    for client_id in ("a", "a"):
        house.call("RemoveClientIDFromOpenIDConnectProvider", client_id=client_id, **named)
    assert list(house.call("GetOpenIDConnectProvider", **named).client_id_list) == ["b"]


def test_at_most_a_hundred_audiences(house: House, refused: Refused) -> None:
    said = ("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
    assert refused("CreateOpenIDConnectProvider", url=URL, client_id_list=[str(number) for number in range(101)]) == said
    arn = create(house, client_id_list=[str(number) for number in range(100)])
    assert refused("AddClientIDToOpenIDConnectProvider", open_id_connect_provider_arn=arn, client_id="more") == said
    house.call("AddClientIDToOpenIDConnectProvider", open_id_connect_provider_arn=arn, client_id="7")


def test_thumbprints_are_replaced(house: House, refused: Refused) -> None:
    named: dict[str, Any] = {"open_id_connect_provider_arn": create(house, thumbprint_list=[THUMBPRINT])}
    house.call("UpdateOpenIDConnectProviderThumbprint", thumbprint_list=["b" * 40, "C" * 40], **named)
    assert list(house.call("GetOpenIDConnectProvider", **named).thumbprint_list) == ["b" * 40, "C" * 40]
    said = ("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    assert refused("UpdateOpenIDConnectProviderThumbprint", thumbprint_list=[THUMBPRINT] * 6, **named) == said
    said = ("InvalidInput", "A thumbprint must consist of 40 hexadecimal digits.")
    assert refused("UpdateOpenIDConnectProviderThumbprint", thumbprint_list=["x" * 40], **named) == said
    assert refused("CreateOpenIDConnectProvider", url="https://other.example.com", thumbprint_list=["x" * 40]) == said


def test_tags_come_and_go_and_differ_by_case(house: House) -> None:
    named: dict[str, Any] = {"open_id_connect_provider_arn": create(house)}
    house.call("TagOpenIDConnectProvider", tags=[{"key": "a", "value": "1"}, {"key": "A", "value": "2"}], **named)
    house.call("UntagOpenIDConnectProvider", tag_keys=["a"], **named)
    assert [(tag.key, tag.value) for tag in house.call("ListOpenIDConnectProviderTags", **named).tags] == [("A", "2")]
    house.call("DeleteOpenIDConnectProvider", **named)
    assert list(house.call("ListOpenIDConnectProviders").open_id_connect_provider_list) == []


CALLS = [
    ("GetOpenIDConnectProvider", {}),
    ("DeleteOpenIDConnectProvider", {}),
    ("AddClientIDToOpenIDConnectProvider", {"client_id": "a"}),
    ("RemoveClientIDFromOpenIDConnectProvider", {"client_id": "a"}),
    ("UpdateOpenIDConnectProviderThumbprint", {"thumbprint_list": [THUMBPRINT]}),
    ("TagOpenIDConnectProvider", {"tags": [{"key": "k", "value": "v"}]}),
    ("UntagOpenIDConnectProvider", {"tag_keys": ["k"]}),
    ("ListOpenIDConnectProviderTags", {}),
]


@pytest.mark.parametrize(("name", "fields"), CALLS)
def test_one_that_is_not_there(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    create(house, "https://Known.example.com/a")
    for arn in (arn_of(house, "unknown.example.com"), arn_of(house, "known.example.com/A")):
        # The second as AWS answered to a deletion, recorded on 2026-02-18.
        sentence = "OpenIDConnect Provider not found for arn {}" if name != CALLS[1][0] else "OpenId connect Provider {} cannot be found."
        said = ("NoSuchEntity", sentence.format(arn))
        assert refused(name, open_id_connect_provider_arn=arn, **fields) == said


@pytest.mark.parametrize(("name", "fields"), CALLS)
def test_one_of_another_account_is_out_of_reach(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    theirs = house.call("CreateOpenIDConnectProvider", _as=house.account(), url=URL).open_id_connect_provider_arn
    assert refused(name, open_id_connect_provider_arn=theirs, **fields)[0] == "AccessDenied"


@pytest.mark.parametrize("arn", ["x" * 20, "arn:aws:iam::111122223333:saml-provider/x", "arn:aws:iam::111122223333:oidc-provider/"])
def test_what_is_no_arn_of_one(refused: Refused, arn: str) -> None:
    assert refused("GetOpenIDConnectProvider", open_id_connect_provider_arn=arn) == ("InvalidInput", f"ARN {arn} is not valid.")


def test_there_is_no_identity_center(refused: Refused) -> None:
    said = ("InvalidInput", "ContextProvider and IdentityCenterInstanceArn are not supported: there is no identity center here.")
    assert refused("CreateOpenIDConnectProvider", url=URL, identity_center_instance_arn="arn:aws:sso:::instance/i") == said
    assert refused("CreateOpenIDConnectProvider", url=URL, context_provider={"subject_source_key": "sub"}) == said


def test_permission_is_on_the_arn(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("iam:*OpenIDConnectProvider*", on=arn_of(house, "mine.example.com*")))
    arn = house.call("CreateOpenIDConnectProvider", _as=caller, url="https://mine.example.com/x").open_id_connect_provider_arn
    house.call("GetOpenIDConnectProvider", _as=caller, open_id_connect_provider_arn=arn)
    assert refused("CreateOpenIDConnectProvider", _as=caller, url=URL)[0] == "AccessDenied"
    assert refused("GetOpenIDConnectProvider", _as=caller, open_id_connect_provider_arn=create(house))[0] == "AccessDenied"


def test_at_most_a_hundred(house: House, refused: Refused) -> None:
    for number in range(100):
        create(house, f"https://p{number}.example.com")
    said = ("LimitExceeded", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100")
    assert refused("CreateOpenIDConnectProvider", url=URL) == said
