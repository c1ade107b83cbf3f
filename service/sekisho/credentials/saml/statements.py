"""The facts of a signed assertion, if it is for us and for now.

Source: https://docs.oasis-open.org/security/saml/v2.0/saml-profiles-2.0-os.pdf, section 4.1.4, and what AWS asks beside:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from sekisho.credentials.saml.errors import Expired, Invalid, Rejected

NAME_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
"""The beginning of the formats of SAML 2.0, which AWS leaves out."""
FRESH = timedelta(minutes=5)
"""How long after its issue an assertion is taken, whatever it says itself."""
SKEW = timedelta(minutes=1)
"""How far the clock of a provider may be ahead of ours."""

_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
_NAMESPACES = {"saml": _SAML, "samlp": _SAMLP}
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_BLANKS = " \t\r\n"

_MOST_ATTRIBUTES = 150
_LONGEST_NAME = 1024  # characters, of a subject or an attribute
_LONGEST_VALUE = 16_384  # characters
_REDEEMED_LATE = "Token must be redeemed within 5 minutes of issuance"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the response itself says beside its assertion: the request that it answers, empty for none."""

    in_response_to: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a provider says of somebody. Times are UTC; `attributes` are in the order of the document, each name once."""

    id: str
    issuer: str
    issued_at: datetime
    name_id: str
    name_format: str
    name_qualifier: str
    sp_name_qualifier: str
    recipient: str
    audiences: tuple[str, ...]
    not_on_or_after: datetime
    attributes: Mapping[str, tuple[str, ...]]
    authenticated_at: datetime | None = None
    session_index: str = ""
    session_not_on_or_after: datetime | None = None
    context_class: str = ""


def envelope(response: etree._Element, issuer: str, recipients: Sequence[str]) -> Envelope:
    """The response around the assertion: of the provider, for us, and a success."""
    _check_version(response)
    _check_issuer(response, issuer, required=False)
    status = response.find("samlp:Status/samlp:StatusCode", _NAMESPACES)
    if status is None:
        raise Invalid("The SAML response has no status.")
    if status.get("Value") != _SUCCESS:
        raise Rejected("The identity provider reports that authentication failed.")
    if response.get("Destination") not in (None, *recipients):
        raise Invalid("The SAML response is for another destination.")
    return Envelope(response.get("InResponseTo", ""))


def facts(
    assertion: etree._Element, around: Envelope, issuer: str, recipients: Sequence[str], audiences: Sequence[str], now: datetime
) -> Facts:
    """The facts of an assertion out of a tree that is signed; Invalid unless it is for one of the recipients, Expired past its time."""
    _check_version(assertion)
    issued_at = _issued_at(assertion, now)
    name = _only(assertion, "saml:Subject/saml:NameID")
    recipient, confirmed_until = _confirmation(assertion, around, recipients, now)
    named, until = _conditions(assertion, audiences, now)
    authentication = _only(assertion, "saml:AuthnStatement")
    session_ends = _moment(authentication, "SessionNotOnOrAfter")
    if session_ends is not None and session_ends <= now:
        raise Expired("The session at the identity provider has ended.")
    return Facts(
        id=assertion.get("ID", ""),
        issuer=_check_issuer(assertion, issuer, required=True),
        issued_at=issued_at,
        name_id=_text(name, _LONGEST_NAME, required=True),
        name_format=name.get("Format", _UNSPECIFIED),
        name_qualifier=name.get("NameQualifier", ""),
        sp_name_qualifier=name.get("SPNameQualifier", ""),
        recipient=recipient,
        audiences=named,
        not_on_or_after=min(confirmed_until, until or confirmed_until),
        attributes=_attributes(assertion),
        authenticated_at=_moment(authentication, "AuthnInstant"),
        session_index=authentication.get("SessionIndex", ""),
        session_not_on_or_after=session_ends,
        context_class=authentication.findtext("saml:AuthnContext/saml:AuthnContextClassRef", "", _NAMESPACES).strip(_BLANKS),
    )


def _issued_at(assertion: etree._Element, now: datetime) -> datetime:
    issued_at = _moment(assertion, "IssueInstant")
    if issued_at is None or issued_at > now + SKEW:
        raise Invalid("The SAML assertion is not yet valid.")
    if now >= issued_at + FRESH:
        raise Expired(_REDEEMED_LATE)
    return issued_at


def _confirmation(assertion: etree._Element, around: Envelope, recipients: Sequence[str], now: datetime) -> tuple[str, datetime]:
    """The recipient of the one bearer confirmation, and its end. The response and the confirmation answer one request, or none."""
    confirmation = _only(assertion, "saml:Subject/saml:SubjectConfirmation")
    data = _only(confirmation, "saml:SubjectConfirmationData")
    recipient, until = data.get("Recipient", ""), _moment(data, "NotOnOrAfter")
    if confirmation.get("Method") != _BEARER or until is None or data.get("NotBefore") is not None:
        raise Invalid("The SAML assertion has no bearer confirmation of its subject.")
    if recipient not in recipients:
        raise Invalid("The SAML assertion is for another recipient.")
    if data.get("InResponseTo", "") != around.in_response_to:
        raise Invalid("The SAML assertion answers another request than its response.")
    if until <= now:
        raise Expired(_REDEEMED_LATE)
    return recipient, until


def _conditions(assertion: etree._Element, audiences: Sequence[str], now: datetime) -> tuple[tuple[str, ...], datetime | None]:
    """The audiences, and the end where there is one. Each restriction has to name one of ours."""
    conditions = _only(assertion, "saml:Conditions")
    begins, until = _moment(conditions, "NotBefore"), _moment(conditions, "NotOnOrAfter")
    if begins is not None and begins > now + SKEW:
        raise Invalid("The SAML assertion is not yet valid.")
    if until is not None and until <= now:
        raise Expired(_REDEEMED_LATE)
    named: list[str] = []
    restrictions = conditions.findall("saml:AudienceRestriction", _NAMESPACES)
    for restriction in restrictions:
        those = [_text(one, _LONGEST_NAME).strip(_BLANKS) for one in restriction.findall("saml:Audience", _NAMESPACES)]
        if not set(those) & set(audiences):
            raise Invalid("Response does not contain the required audience.")
        named += those
    if not restrictions:
        raise Invalid("Response does not contain the required audience.")
    return tuple(named), until


def _attributes(assertion: etree._Element) -> Mapping[str, tuple[str, ...]]:
    """Values by name. A name that came twice would have its values, or those of its first, depending on who reads: refused."""
    found: dict[str, tuple[str, ...]] = {}
    attributes = assertion.findall("saml:AttributeStatement/saml:Attribute", _NAMESPACES)
    if len(attributes) > _MOST_ATTRIBUTES:
        raise Invalid("The SAML assertion has too many attributes.")
    for attribute in attributes:
        name = attribute.get("Name", "")
        if not name or len(name) > _LONGEST_NAME or name in found:
            raise Invalid("The SAML assertion has an attribute without a name, or one twice.")
        found[name] = tuple(_value(one) for one in attribute.findall("saml:AttributeValue", _NAMESPACES))
    return found


def _value(element: etree._Element) -> str:
    """Text, or the name id that stands in its place (eduPersonTargetedID)."""
    inner = element.find("saml:NameID", _NAMESPACES)
    return _text(element if inner is None else inner, _LONGEST_VALUE)


def _check_version(element: etree._Element) -> None:
    if element.get("Version") != "2.0":
        raise Invalid("The SAML response is not of version 2.0.")


def _check_issuer(element: etree._Element, issuer: str, *, required: bool) -> str:
    found = element.find("saml:Issuer", _NAMESPACES)
    if found is None and not required:
        return issuer
    if found is None or found.get("Format") not in (None, _ENTITY) or _text(found, _LONGEST_NAME).strip(_BLANKS) != issuer:
        raise Invalid("Issuer not present in specified provider")
    return issuer


def _only(element: etree._Element, path: str) -> etree._Element:
    found = element.findall(path, _NAMESPACES)
    if len(found) != 1:
        raise Invalid(f"The SAML assertion has not exactly one {path.rpartition(':')[2]}.")
    return found[0]


def _text(element: etree._Element, longest: int, *, required: bool = False) -> str:
    """The text of an element that has no other content, whole."""
    text = element.text or ""
    if len(element) or len(text) > longest or (required and not text.strip()):
        raise Invalid("The SAML assertion has a text that is empty, or too long, or none.")
    return text


def _moment(element: etree._Element, attribute: str) -> datetime | None:
    """A time in UTC, as SAML demands (core, section 1.3.3); None where there is none."""
    text = element.get(attribute)
    if text is None:
        return None
    if not _MOMENT.fullmatch(text):
        raise Invalid(f"The SAML assertion has a {attribute} that is no time in UTC.")
    try:
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"The SAML assertion has a {attribute} that is no time in UTC.") from None
