"""The table, and what its rows are made with."""

import base64
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime

from lxml import etree

from tests.identity_provider import DS, PLACE, ROLE, SESSION_NAME, IdentityProvider, Said, assertion, pair, response, sign

NOW = datetime.now(UTC).replace(microsecond=0)
IDP = IdentityProvider()
OURS = pair("ours")
SAML, SAMLP = "{urn:oasis:names:tc:SAML:2.0:assertion}", "{urn:oasis:names:tc:SAML:2.0:protocol}"
ATTRIBUTES = {
    ROLE: ["arn:aws:iam::111122223333:role/dev,arn:aws:iam::111122223333:saml-provider/idp"],
    SESSION_NAME: ["mallory"],
}
Maker = Callable[[], str]
HOSTILE: dict[str, tuple[str, Maker]] = {}

MALFORMED = "The SAML response is malformed"
PLAIN = "it is not plain XML in UTF-8"
PLACED = "an element stands where none may"
TWICE = "an element stands twice"
ONE = "it has not exactly one assertion"
IDS = "its ids are ambiguous"
SIGNED = "Response signature invalid"
SHORT = "has not exactly one"
EXPIRED = "Token must be redeemed within 5 minutes of issuance"
EARLY = "The SAML assertion is not yet valid"
ISSUER = "Issuer not present in specified provider"
AUDIENCE = "Response does not contain the required audience"
RECIPIENT = "The SAML assertion is for another recipient"
ANSWERS = "The SAML assertion answers another request than its response"
SEALED = "The SAML assertion could not be decrypted"


def hostile(name: str, refused: str) -> Callable[[Maker], Maker]:
    """Add a row."""

    def add(maker: Maker) -> Maker:
        assert name not in HOSTILE
        HOSTILE[name] = (refused, maker)
        return maker

    return add


def rows(refused: str, **makers: Maker) -> None:
    """Add rows that are refused with the same words."""
    for name, maker in makers.items():
        hostile(name, refused)(maker)


def mallory(**fields: object) -> Said:
    """What the provider says of Mallory."""
    return IDP.says(NOW, **{"name_id": "mallory@example.com", "attributes": ATTRIBUTES, **fields})


def plain(what: Said | None = None) -> str:
    """Mallory's own response, its assertion signed, as text."""
    return base64.b64decode(IDP.keycloak(what or mallory())).decode()


def whole(what: Said | None = None) -> str:
    """Mallory's own response, signed as a whole, as text."""
    return sign(response(what or mallory(), assertion(what or mallory(), place=""), place=PLACE), IDP.pair)


def tree(text: str) -> etree._Element:
    """A document to be changed."""
    return etree.fromstring(text.encode())


def sent(root: etree._Element) -> str:
    """A document as it is sent."""
    return base64.b64encode(etree.tostring(root)).decode()


def evil(element: etree._Element) -> etree._Element:
    """A copy that is not signed and says admin, with other ids."""
    copy = deepcopy(element)
    for signature in copy.findall(f".//{{{DS}}}Signature"):
        parent = signature.getparent()
        assert parent is not None
        parent.remove(signature)
    for one in copy.iter(f"{SAML}NameID"):
        one.text = "admin@example.com"
    for one in copy.iter(f"{SAML}Assertion", f"{SAMLP}Response"):
        one.set("ID", "_evil" + one.get("ID", ""))
    return copy


def found(root: etree._Element, tag: str) -> etree._Element:
    """The first element of a tag."""
    one = root.find(f".//{tag}")
    assert one is not None
    return one


def signature_of(root: etree._Element) -> etree._Element:
    return found(root, f"{{{DS}}}Signature")


def object_of(signature: etree._Element) -> etree._Element:
    return etree.SubElement(signature, f"{{{DS}}}Object")
