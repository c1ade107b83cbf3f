"""What the attributes of a SAML assertion say to us: the session that its subject is to have, and the condition keys of trust policies.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-saml
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sekisho import arn
from sekisho.api.sts.v1 import sessions_pb2
from sekisho.credentials import saml
from sekisho.credentials.errors import InvalidIdentityToken
from sekisho.errors import ValidationError
from sekisho.operations import validation
from sekisho.services.sts import session_policies
from sekisho.services.sts.errors import InvalidParameterValue
from sekisho.world import Keys, SamlProviderRecord

_OURS = "https://aws.amazon.com/SAML/Attributes/"
_TAG = f"{_OURS}PrincipalTag:"
_LEAST_SECONDS, _MOST_SECONDS = 900, 43_200

_EDU_PERSON, _EDU_ORG = "urn:oid:1.3.6.1.4.1.5923.1.1.1.", "urn:oid:1.3.6.1.4.1.5923.1.2.1."
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

MULTIVALUED: Mapping[str, str] = {
    f"{_EDU_PERSON}1": "saml:edupersonaffiliation",
    f"{_EDU_PERSON}2": "saml:edupersonnickname",
    f"{_EDU_PERSON}3": "saml:edupersonorgdn",
    f"{_EDU_PERSON}4": "saml:edupersonorgunitdn",
    f"{_EDU_PERSON}5": "saml:edupersonprimaryaffiliation",
    f"{_EDU_PERSON}6": "saml:edupersonprincipalname",
    f"{_EDU_PERSON}7": "saml:edupersonentitlement",
    f"{_EDU_PERSON}8": "saml:edupersonprimaryorgunitdn",
    f"{_EDU_PERSON}9": "saml:edupersonscopedaffiliation",
    f"{_EDU_PERSON}10": "saml:edupersontargetedid",
    f"{_EDU_PERSON}11": "saml:edupersonassurance",
    f"{_EDU_ORG}2": "saml:eduorghomepageuri",
    f"{_EDU_ORG}3": "saml:eduorgidentityauthnpolicyuri",
    f"{_EDU_ORG}4": "saml:eduorglegalname",
    f"{_EDU_ORG}5": "saml:eduorgsuperioruri",
    f"{_EDU_ORG}6": "saml:eduorgwhitepagesuri",
    "urn:oid:2.5.4.3": "saml:cn",
}
"""Condition keys with several values, by the attribute that they are."""
SINGLE: Mapping[str, str] = {
    f"{_CLAIMS}name": "saml:name",
    "http://schemas.xmlsoap.org/claims/CommonName": "saml:commonname",
    f"{_CLAIMS}givenname": "saml:givenname",
    f"{_CLAIMS}surname": "saml:surname",
    f"{_CLAIMS}emailaddress": "saml:mail",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "saml:primarygroupsid",
    "urn:oid:2.5.4.4": "saml:surname",
    "urn:oid:2.5.4.42": "saml:givenname",
    "urn:oid:2.5.4.45": "saml:x500uniqueidentifier",
    "urn:oid:0.9.2342.19200300.100.1.1": "saml:uid",
    "urn:oid:0.9.2342.19200300.100.1.3": "saml:mail",
    "urn:oid:0.9.2342.19200300.100.1.45": "saml:organizationstatus",
}
"""Condition keys with one value."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The session that the assertion asks for; `lasts` is the longest that it may be, None where nothing is said."""

    session_name: str
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str
    lasts: timedelta | None


def claims(facts: saml.Facts, role_arn: str, provider_arn: str) -> Claims:
    """What our attributes say, checked as AssumeRole checks it of a caller; InvalidIdentityToken unless the role is one of those named."""
    if not _names(facts.attributes.get(f"{_OURS}Role", ()), role_arn, provider_arn):
        raise InvalidIdentityToken("The SAML response does not name the role together with the provider.")
    name = _one(facts, "RoleSessionName")
    if not name:
        raise InvalidIdentityToken("RoleSessionName is required in AuthnResponse")
    asked = sessions_pb2.AssumeRoleRequest(
        role_arn=role_arn,
        role_session_name=name,
        tags=[
            sessions_pb2.Tag(key=attribute.removeprefix(_TAG), value=_single(attribute, values))
            for attribute, values in facts.attributes.items()
            if attribute.startswith(_TAG)
        ],
        transitive_tag_keys=[value.strip() for value in facts.attributes.get(f"{_OURS}TransitiveTagKeys", ())],
        source_identity=_one(facts, "SourceIdentity") or None,
    )
    try:
        validation.check(asked)
        tags = session_policies.tags(asked)
    except (ValidationError, InvalidParameterValue) as error:
        if "roleSessionName" in error.message:
            raise InvalidIdentityToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}") from None
        raise InvalidIdentityToken(error.message) from None
    folded = {key.lower(): key for key in tags}
    if any(key.lower() not in folded for key in asked.transitive_tag_keys):
        raise InvalidIdentityToken("The specified transitive tag key must be included in the requested tags.")
    transitive = tuple(dict.fromkeys(folded[key.lower()] for key in asked.transitive_tag_keys))
    return Claims(name, tags, transitive, asked.source_identity, _lasts(facts))


def keys(facts: saml.Facts, provider: SamlProviderRecord) -> Keys:
    """The `saml:` keys, in lower case."""
    found: dict[str, str | tuple[str, ...]] = {
        "saml:aud": facts.recipient,
        "saml:iss": facts.issuer,
        "saml:sub": facts.name_id,
        "saml:sub_type": subject_type(facts),
        "saml:namequalifier": name_qualifier(provider),
        "saml:doc": f"{provider.account_id}/{_friendly(provider)}",
    }
    for attribute, values in facts.attributes.items():
        if (key := MULTIVALUED.get(attribute)) is not None:
            found[key] = values
        elif (key := SINGLE.get(attribute)) is not None:
            value = _single(attribute, values)
            if found.setdefault(key, value) != value:
                raise InvalidIdentityToken(f"The SAML response has two values for {key}.")
    return found


def subject_type(facts: saml.Facts) -> str:
    """The format of the subject's name, short where it is one of SAML 2.0's own."""
    return facts.name_format.removeprefix(saml.NAME_FORMAT)


def name_qualifier(provider: SamlProviderRecord) -> str:
    """What tells the subjects of one provider from those of all others, as AWS computes it."""
    text = f"{provider.issuer}{provider.account_id}/{_friendly(provider)}"
    return b64encode(hashlib.sha1(text.encode()).digest()).decode()  # noqa: S324  # a name that AWS defines so; nothing rests on it


def _friendly(provider: SamlProviderRecord) -> str:
    named = arn.entity(provider.arn)
    return named.name if named is not None else ""


def _names(values: tuple[str, ...], role_arn: str, provider_arn: str) -> bool:
    """Whether one of the values is the pair, in either order."""
    return any(sorted(part.strip() for part in value.split(",")) == sorted((role_arn, provider_arn)) for value in values)


def _one(facts: saml.Facts, name: str) -> str:
    return _single(name, facts.attributes.get(_OURS + name, ("",))).strip()


def _single(attribute: str, values: tuple[str, ...]) -> str:
    if len(values) != 1:
        raise InvalidIdentityToken(f"The SAML response must have exactly one value of {attribute}.")
    return values[0]


def _lasts(facts: saml.Facts) -> timedelta | None:
    text = _one(facts, "SessionDuration")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and _LEAST_SECONDS <= int(text) <= _MOST_SECONDS):
        raise InvalidIdentityToken(f"SessionDuration in AuthnResponse must be {_LEAST_SECONDS} to {_MOST_SECONDS}")
    return timedelta(seconds=int(text))
