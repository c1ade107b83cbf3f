"""Outbound federation: an account's issuer of tokens for other services."""

import re

import pytest

from sekisho.credentials import issuer_urls
from sekisho.errors import InvalidArgument
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

ISSUER = re.compile(r"https://auth\.example\.com/iss-[0-9a-f]{32}")


def test_an_account_gets_an_issuer(house: House) -> None:
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    assert ISSUER.fullmatch(issuer)
    info = house.call("GetOutboundWebIdentityFederationInfo")
    assert (info.issuer_identifier, info.jwt_vending_enabled) == (issuer, True)


def test_each_account_has_an_issuer_of_its_own_that_does_not_say_whose(house: House) -> None:
    first = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    other = house.call("EnableOutboundWebIdentityFederation", _as=house.account()).issuer_identifier
    assert first != other
    assert house.account_id not in first


def test_what_is_enabled_is_not_enabled_again(house: House, refused: Refused) -> None:
    house.call("EnableOutboundWebIdentityFederation")
    code, message = refused("EnableOutboundWebIdentityFederation")
    assert (code, message) == ("FeatureEnabled", "Outbound web identity federation is already enabled for this account.")


def test_what_is_not_enabled_is_neither_shown_nor_disabled(house: House, refused: Refused) -> None:
    said = "FeatureDisabled", "Outbound web identity federation is not enabled for this account."
    for name in ("DisableOutboundWebIdentityFederation", "GetOutboundWebIdentityFederationInfo"):
        assert refused(name) == said
    house.call("EnableOutboundWebIdentityFederation")
    house.call("DisableOutboundWebIdentityFederation")
    for name in ("DisableOutboundWebIdentityFederation", "GetOutboundWebIdentityFederationInfo"):
        assert refused(name) == said


def test_an_account_keeps_its_issuer(house: House) -> None:
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    house.call("DisableOutboundWebIdentityFederation")
    assert house.call("EnableOutboundWebIdentityFederation").issuer_identifier == issuer


@pytest.mark.parametrize(
    "name", ["EnableOutboundWebIdentityFederation", "DisableOutboundWebIdentityFederation", "GetOutboundWebIdentityFederationInfo"]
)
def test_each_takes_permission(house: House, refused: Refused, name: str) -> None:
    nobody = house.user("nobody")
    assert refused(name, nobody)[0] == "AccessDenied"
    house.call("EnableOutboundWebIdentityFederation")
    if name.startswith("Enable"):
        house.call("DisableOutboundWebIdentityFederation")
    house.call(name, _as=house.user("somebody", allow(f"iam:{name}")))


@pytest.mark.parametrize(
    "text",
    [
        "auth.example.com",
        "ftp://auth.example.com",
        "http://auth.example.com",
        "https://",
        "https://auth.example.com?a=b",
        "https://auth.example.com#a",
        "https://user@auth.example.com",
        "https://auth.example.com:0",
        "https://auth.example.com:port",
        "https://auth.exämple.com",
        "https://auth example.com",
        "https://auth.example.com/" + "a" * 255,
    ],
)
def test_what_is_no_address_of_a_server(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--issuer-url"):
        issuer_urls.checked(text)


@pytest.mark.parametrize(
    "text",
    ["https://auth.example.com", "https://auth.example.com:8443/oidc/", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80"],
)
def test_what_is_the_address_of_a_server(text: str) -> None:
    assert issuer_urls.checked(text) == text.rstrip("/")


ID = "iss-0123456789abcdef0123456789abcdef"
PATHS = {
    f"/{ID}/.well-known/jwks.json": (ID, ".well-known/jwks.json"),
    f"/{ID}/.well-known/openid-configuration": (ID, ".well-known/openid-configuration"),
    f"/behind/a-proxy/{ID}/.well-known/jwks.json": (ID, ".well-known/jwks.json"),
    f"/{ID}/.well-known/jwks.json/": None,
    f"//{ID}/.well-known/jwks.json": None,
    f"/{ID.upper()}/.well-known/jwks.json": None,
    f"/{ID}0/.well-known/jwks.json": None,
    f"/{ID[:-1]}/.well-known/jwks.json": None,
    f"/{ID}/.well-known/jwks_json": None,
    f"/{ID}/.well-known/jwks.json\n": None,
    f"/{'a/' * 9}{ID}/.well-known/jwks.json": None,
    f"/%2e/{ID}/.well-known/jwks.json": None,
    "/.well-known/openid-configuration": None,
    "/": None,
}


@pytest.mark.parametrize("path", PATHS)
def test_the_document_that_a_path_names(path: str) -> None:
    assert issuer_urls.document(path) == PATHS[path]
