"""Which condition key an attribute of an assertion is.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html, "Available keys for SAML-based
federation".
"""

from sekisho.services.sts import saml_claims

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
