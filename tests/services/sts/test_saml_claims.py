"""Which condition key an attribute of an assertion is, and which session it asks for.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html, "Available keys for SAML-based
federation".
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho.credentials import saml
from sekisho.credentials.errors import InvalidIdentityToken
from sekisho.services.sts import saml_claims
from sekisho.world import SamlProviderRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLE, IDP = "arn:aws:iam::111122223333:role/dev", "arn:aws:iam::111122223333:saml-provider/idp"
OURS = "https://aws.amazon.com/SAML/Attributes/"
TAG = f"{OURS}PrincipalTag:"
PROVIDER = SamlProviderRecord("0" * 32, "111122223333", IDP, "https://idp.example.com/m", (), NOW)
MULTIVALUED = [
    *("saml:cn", "saml:edupersonaffiliation", "saml:edupersonassurance", "saml:edupersonentitlement", "saml:edupersonnickname"),
    *("saml:edupersonorgdn", "saml:edupersonorgunitdn", "saml:edupersonprimaryaffiliation", "saml:edupersonprimaryorgunitdn"),
    *("saml:edupersonprincipalname", "saml:edupersonscopedaffiliation", "saml:edupersontargetedid", "saml:eduorghomepageuri"),
    *("saml:eduorgidentityauthnpolicyuri", "saml:eduorglegalname", "saml:eduorgsuperioruri", "saml:eduorgwhitepagesuri"),
]
SINGLE = [
    *("saml:commonname", "saml:givenname", "saml:mail", "saml:name", "saml:organizationstatus", "saml:primarygroupsid"),
    *("saml:surname", "saml:uid", "saml:x500uniqueidentifier"),
]


def test_attributes_are_the_keys_that_aws_documents() -> None:
    assert sorted(saml_claims.MULTIVALUED.values()) == sorted(MULTIVALUED)
    assert sorted(set(saml_claims.SINGLE.values())) == sorted(SINGLE)


def test_attributes_are_named_by_oid_or_claim() -> None:
    """A few of each kind, in full."""
    assert saml_claims.MULTIVALUED["urn:oid:1.3.6.1.4.1.5923.1.1.1.1"] == "saml:edupersonaffiliation"
    assert saml_claims.MULTIVALUED["urn:oid:1.3.6.1.4.1.5923.1.2.1.2"] == "saml:eduorghomepageuri"
    assert saml_claims.SINGLE["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"] == "saml:mail"
    assert saml_claims.SINGLE["http://schemas.xmlsoap.org/claims/CommonName"] == "saml:commonname"
    names = [*saml_claims.MULTIVALUED, *saml_claims.SINGLE]
    assert [name for name in names if not name.startswith(("urn:oid:", "http://schemas."))] == []


def says(attributes: Mapping[str, tuple[str, ...]] | None = None, **other: Any) -> saml.Facts:
    """The provider's assertion of Ana for the role, with these attributes over its own."""
    given = {f"{OURS}Role": (f"{ROLE},{IDP}",), f"{OURS}RoleSessionName": ("ana",), **(attributes or {})}
    return saml.Facts(
        **{
            "id": "_1",
            "issuer": "https://idp.example.com/m",
            "issued_at": NOW,
            "name_id": "ana@example.com",
            "name_format": f"{saml.NAME_FORMAT}persistent",
            "name_qualifier": "",
            "sp_name_qualifier": "",
            "recipient": "https://sekisho.example.com/saml",
            "audiences": (),
            "not_on_or_after": NOW,
            "attributes": {name: values for name, values in given.items() if values},
            **other,
        }
    )


def claims(attributes: Mapping[str, tuple[str, ...]] | None = None) -> saml_claims.Claims:
    """The session that such an assertion asks for."""
    return saml_claims.claims(says(attributes), ROLE, IDP)


def refusal(attributes: Mapping[str, tuple[str, ...]]) -> str:
    """Why such an assertion asks in vain."""
    with pytest.raises(InvalidIdentityToken) as caught:
        claims(attributes)
    return caught.value.message


def test_an_assertion_that_asks_for_no_more_than_a_role() -> None:
    assert claims() == saml_claims.Claims("ana", {}, (), "", None)


def test_all_that_an_assertion_can_ask_for() -> None:
    """Tags in the order of the document; their keys are one whatever their case, and spelled as where they are given."""
    asked = {
        f"{OURS}RoleSessionName": (" ana ",),
        f"{TAG}Team": ("red",),
        "https://aws.amazon.com/SAML/Attributes/PrincipalTagged": ("no",),
        "Team": ("no",),
        f"{TAG}desk": ("",),
        f"{OURS}TransitiveTagKeys": (" DESK ", "Team", "team"),
        f"{OURS}SourceIdentity": (" anna ",),
        f"{OURS}SessionDuration": (" 3600 ",),
    }
    made = claims(asked)
    assert made == saml_claims.Claims("ana", {"Team": "red", "desk": ""}, ("desk", "Team"), "anna", timedelta(hours=1))
    assert list(made.tags) == ["Team", "desk"]


@pytest.mark.parametrize(
    ("values", "is_named"),
    [
        ((f"{ROLE},{IDP}",), True),
        ((f"{IDP},{ROLE}",), True),
        ((f" {ROLE} ,\t{IDP} ",), True),
        (("arn:aws:iam::111122223333:role/other,x", f"{ROLE},{IDP}"), True),
        ((f"{ROLE}",), False),
        ((f"{ROLE},{ROLE}",), False),
        ((f"{ROLE},{IDP},{IDP}",), False),
        ((f"{ROLE}2,{IDP}",), False),
        ((ROLE, IDP), False),
        ((), False),
    ],
)
def test_the_role_must_be_named_with_the_provider(values: tuple[str, ...], is_named: bool) -> None:
    if is_named:
        assert claims({f"{OURS}Role": values}).session_name == "ana"
    else:
        assert refusal({f"{OURS}Role": values}) == "The SAML response does not name the role together with the provider."


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({f"{OURS}RoleSessionName": ()}, "RoleSessionName is required in AuthnResponse"),
        ({f"{OURS}RoleSessionName": (" ",)}, "RoleSessionName is required in AuthnResponse"),
        ({f"{OURS}RoleSessionName": ("a b",)}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ({f"{OURS}RoleSessionName": ("x" * 65,)}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ({f"{OURS}RoleSessionName": ("ana", "bob")}, "The SAML response must have exactly one value of RoleSessionName."),
        ({f"{OURS}SourceIdentity": ("a", "b")}, "The SAML response must have exactly one value of SourceIdentity."),
        ({f"{OURS}SessionDuration": ("900", "901")}, "The SAML response must have exactly one value of SessionDuration."),
        ({f"{TAG}team": ("red", "blue")}, f"The SAML response must have exactly one value of {TAG}team."),
        (
            {f"{TAG}team": ("red",), f"{TAG}Team": ("blue",)},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ({f"{TAG}aws:team": ("red",)}, "Tag keys beginning with aws: are reserved for system use."),
        ({f"{OURS}TransitiveTagKeys": ("team",)}, "The specified transitive tag key must be included in the requested tags."),
        (
            {f"{TAG}team": ("red",), f"{OURS}TransitiveTagKeys": ("team", "desk")},
            "The specified transitive tag key must be included in the requested tags.",
        ),
    ],
)
def test_what_an_assertion_asks_for_in_vain(attributes: dict[str, tuple[str, ...]], message: str) -> None:
    assert refusal(attributes) == message


def test_what_assume_role_would_refuse_is_said_as_it_says_it() -> None:
    assert "sourceIdentity" in refusal({f"{OURS}SourceIdentity": ("a b",)})
    assert "tags" in refusal({f"{TAG}team": ("x" * 257,)})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("900", 900),
        ("43200", 43_200),
        ("03600", 3600),
        ("", None),
        (" ", None),
        ("899", 0),
        ("43201", 0),
        ("1h", 0),
        ("-900", 0),
        ("9e3", 0),
        ("\u0663\u0666\u0660\u0660", 0),
        ("\u00b2" * 4, 0),
        ("000900", 0),
    ],
)
def test_how_long_a_session_may_last(text: str, seconds: int | None) -> None:
    asked = {f"{OURS}SessionDuration": (text,)}
    if seconds == 0:
        assert refusal(asked) == "SessionDuration in AuthnResponse must be 900 to 43200"
    else:
        assert claims(asked).lasts == (timedelta(seconds=seconds) if seconds is not None else None)


def test_the_keys_of_an_assertion() -> None:
    attributes: dict[str, tuple[str, ...]] = {
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ("staff", "member"),
        "urn:oid:2.5.4.3": ("Ana",),
        "urn:oid:2.5.4.4": ("Lee",),
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname": ("Lee",),
        "urn:oid:0.9.2342.19200300.100.1.1": ("ana",),
    }
    found = saml_claims.keys(says(attributes), PROVIDER)
    assert found == {
        "saml:aud": "https://sekisho.example.com/saml",
        "saml:iss": "https://idp.example.com/m",
        "saml:sub": "ana@example.com",
        "saml:sub_type": "persistent",
        "saml:namequalifier": "zeiTpChulllTfTku4VQcorzNhrA=",
        "saml:doc": "111122223333/idp",
        "saml:edupersonaffiliation": ("staff", "member"),
        "saml:cn": ("Ana",),
        "saml:surname": "Lee",
        "saml:uid": "ana",
    }


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"urn:oid:2.5.4.4": ("Lee", "Li")}, "The SAML response must have exactly one value of urn:oid:2.5.4.4."),
        (
            {"urn:oid:2.5.4.4": ("Lee",), "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname": ("Li",)},
            "The SAML response has two values for saml:surname.",
        ),
    ],
)
def test_a_key_with_one_value_has_one(attributes: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(InvalidIdentityToken) as caught:
        saml_claims.keys(says(attributes), PROVIDER)
    assert caught.value.message == message


@pytest.mark.parametrize(("format_", "wanted"), [("transient", "transient"), ("", "")])
def test_the_type_of_a_subject_is_short_where_it_is_one_of_saml(format_: str, wanted: str) -> None:
    assert saml_claims.subject_type(says(name_format=f"{saml.NAME_FORMAT}{format_}")) == wanted
    assert saml_claims.subject_type(says(name_format="urn:example:format")) == "urn:example:format"


def test_the_name_qualifier_tells_providers_apart() -> None:
    found = {saml_claims.name_qualifier(one) for one in (PROVIDER, replace(PROVIDER, issuer="x"), replace(PROVIDER, account_id="1" * 12))}
    assert len(found) == 3
    assert saml_claims.name_qualifier(replace(PROVIDER, arn="no ARN", issuer="", account_id="")) == "QgmbSvAh5T/Y/U4FbCVo18Lj/6g="
