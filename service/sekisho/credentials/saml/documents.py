"""From bytes to a tree of the few elements that a SAML response has.

Two parsers read a document. The first, expat, looks for what no response needs and attacks are made of: document types (hence entities and
anything external), comments, processing instructions, CDATA, other encodings; and it bounds depth and number. lxml then makes the tree, and
the table below says which element stands where, and what stands there once alone: whatever wraps a signature wraps it in a place that no
response has. All that has children has no text.
"""

import binascii
import re
from base64 import b64decode
from typing import NoReturn
from xml.parsers import expat

from lxml import etree

from sekisho.credentials.saml.errors import Invalid

LONGEST = 100_000
"""Characters of a response in base64 (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html)."""

_MOST_DEPTH = 20
_MOST_ELEMENTS = 2000
_MOST_ATTRIBUTES = 24
"""Of one element, declarations of namespaces not counted."""
_MOST_NAMESPACES = 1000
"""Declarations in all."""
_MOST_PREFIXES = 12
"""Declarations of one element: canonical XML sorts those in scope for each element."""

_SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_XENC = "{http://www.w3.org/2001/04/xmlenc#}"
_XENC11 = "{http://www.w3.org/2009/xmlenc11#}"
_EC = "{http://www.w3.org/2001/10/xml-exc-c14n#}"
_XML = "{http://www.w3.org/XML/1998/namespace}"

RESPONSE, ASSERTION, ENCRYPTED, SIGNATURE = f"{_SAMLP}Response", f"{_SAML}Assertion", f"{_SAML}EncryptedAssertion", f"{_DS}Signature"
ROOTS = (RESPONSE, ASSERTION)

_MANY = "*"
_SHAPE: dict[str, tuple[str, ...]] = {
    RESPONSE: (f"{_SAML}Issuer", SIGNATURE, f"{_SAMLP}Status", ASSERTION, ENCRYPTED),
    f"{_SAMLP}Status": (f"{_SAMLP}StatusCode", f"{_SAMLP}StatusMessage"),
    f"{_SAMLP}StatusCode": (f"{_SAMLP}StatusCode",),
    ASSERTION: (
        f"{_SAML}Issuer",
        SIGNATURE,
        f"{_SAML}Subject",
        f"{_SAML}Conditions",
        f"{_SAML}AuthnStatement",
        f"{_SAML}AttributeStatement",
    ),
    f"{_SAML}Subject": (f"{_SAML}NameID", f"{_SAML}SubjectConfirmation"),
    f"{_SAML}SubjectConfirmation": (f"{_SAML}SubjectConfirmationData",),
    f"{_SAML}Conditions": (f"{_SAML}AudienceRestriction*", f"{_SAML}OneTimeUse", f"{_SAML}ProxyRestriction"),
    f"{_SAML}AudienceRestriction": (f"{_SAML}Audience*",),
    f"{_SAML}ProxyRestriction": (f"{_SAML}Audience*",),
    f"{_SAML}AuthnStatement": (f"{_SAML}SubjectLocality", f"{_SAML}AuthnContext"),
    f"{_SAML}AuthnContext": (f"{_SAML}AuthnContextClassRef", f"{_SAML}AuthnContextDeclRef", f"{_SAML}AuthenticatingAuthority*"),
    f"{_SAML}AttributeStatement": (f"{_SAML}Attribute*",),
    f"{_SAML}Attribute": (f"{_SAML}AttributeValue*",),
    f"{_SAML}AttributeValue": (f"{_SAML}NameID",),
    SIGNATURE: (f"{_DS}SignedInfo", f"{_DS}SignatureValue", f"{_DS}KeyInfo"),
    f"{_DS}SignedInfo": (f"{_DS}CanonicalizationMethod", f"{_DS}SignatureMethod", f"{_DS}Reference"),
    f"{_DS}CanonicalizationMethod": (f"{_EC}InclusiveNamespaces",),
    f"{_DS}Reference": (f"{_DS}Transforms", f"{_DS}DigestMethod", f"{_DS}DigestValue"),
    f"{_DS}Transforms": (f"{_DS}Transform*",),
    f"{_DS}Transform": (f"{_EC}InclusiveNamespaces",),
    f"{_DS}KeyInfo": (f"{_DS}KeyName", f"{_DS}KeyValue", f"{_DS}X509Data", f"{_DS}RetrievalMethod", f"{_XENC}EncryptedKey"),
    f"{_DS}KeyValue": (f"{_DS}RSAKeyValue",),
    f"{_DS}RSAKeyValue": (f"{_DS}Modulus", f"{_DS}Exponent"),
    f"{_DS}X509Data": (f"{_DS}X509Certificate*", f"{_DS}X509SubjectName", f"{_DS}X509IssuerSerial", f"{_DS}X509SKI"),
    f"{_DS}X509IssuerSerial": (f"{_DS}X509IssuerName", f"{_DS}X509SerialNumber"),
    ENCRYPTED: (f"{_XENC}EncryptedData", f"{_XENC}EncryptedKey"),
    f"{_XENC}EncryptedData": (f"{_XENC}EncryptionMethod", f"{_DS}KeyInfo", f"{_XENC}CipherData"),
    f"{_XENC}EncryptedKey": (f"{_XENC}EncryptionMethod", f"{_DS}KeyInfo", f"{_XENC}CipherData", f"{_XENC}ReferenceList"),
    f"{_XENC}EncryptionMethod": (f"{_DS}DigestMethod", f"{_XENC11}MGF"),
    f"{_XENC}CipherData": (f"{_XENC}CipherValue",),
    f"{_XENC}ReferenceList": (f"{_XENC}DataReference",),
}
"""The children that an element has: each once at the most, but for those with a star."""
_CHILDREN = {parent: {child.rstrip(_MANY): child.endswith(_MANY) for child in children} for parent, children in _SHAPE.items()}

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_HOLDERS = {RESPONSE: "ID", ASSERTION: "ID"}


def decode(text: str) -> bytes:
    """The bytes of a response as it is sent: base64, broken into lines perhaps."""
    if len(text) > LONGEST:
        raise Invalid("The SAML response is too long.")
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("Invalid base64 SAMLResponse") from None


def parse(data: bytes) -> etree._Element:
    """The tree of a document of one of the roots, or Invalid."""
    _look_through(data)
    try:
        root = etree.fromstring(data, parser=parser())
    except (etree.XMLSyntaxError, ValueError):
        raise _malformed("it is not well-formed") from None
    check(root)
    return root


def parser() -> etree.XMLParser:
    """A parser that expands, fetches and adds nothing."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False, huge_tree=False
    )


def check(root: etree._Element) -> None:
    """Invalid unless each element of the tree stands where it may."""
    if root.tag not in ROOTS:
        raise _malformed("it is no response")
    ids: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            raise _malformed("it has more than elements and text")
        _check_place(element)
        _check_ids(element, ids)
    if len(list(root.iter(ASSERTION))) + len(list(root.iter(ENCRYPTED))) != 1:
        raise _malformed("it has not exactly one assertion")


def _check_place(element: etree._Element) -> None:
    admitted = _CHILDREN.get(str(element.tag), {})
    seen: set[str] = set()
    for child in element:
        name = str(child.tag)
        if name not in admitted:
            raise _malformed("an element stands where none may")
        if name in seen and not admitted[name]:
            raise _malformed("an element stands twice")
        seen.add(name)
    if len(element) and any(text and text.strip(" \t\r\n") for text in (element.text, *(child.tail for child in element))):
        raise _malformed("text stands between elements")


def _check_ids(element: etree._Element, ids: set[str]) -> None:
    """An id names one element, and stands in the attribute in which it belongs, whatever a library would look for."""
    own = _HOLDERS.get(str(element.tag), "Id")
    for name, value in element.attrib.items():
        local = etree.QName(name).localname
        if str(name).startswith(_XML) and local not in ("lang", "space"):
            raise _malformed("an attribute is none of its own")
        if local.lower() == "id":
            if name != own or not _ID.fullmatch(str(value)) or value in ids:
                raise _malformed("its ids are ambiguous")
            ids.add(str(value))


def _look_through(data: bytes) -> None:
    try:
        data.decode("utf-8")
        if not data.startswith(b"<"):
            raise ValueError("no markup")
        _Looker().parser.Parse(data, True)
    except (expat.ExpatError, ValueError):
        raise _malformed("it is not plain XML in UTF-8") from None


class _Looker:
    """Counts what comes, and stops at what must not."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = _declaration
        self.parser.StartDoctypeDeclHandler = self.parser.CommentHandler = _never
        self.parser.ProcessingInstructionHandler = self.parser.StartCdataSectionHandler = _never
        self.parser.StartNamespaceDeclHandler = self._namespace
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._depth = self._elements = self._namespaces = self._prefixes = 0

    def _namespace(self, prefix: str | None, uri: str) -> None:
        self._namespaces += 1
        self._prefixes += 1
        if self._namespaces > _MOST_NAMESPACES or self._prefixes > _MOST_PREFIXES:
            raise ValueError("too many namespaces")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self._prefixes = 0
        if self._depth > _MOST_DEPTH or self._elements > _MOST_ELEMENTS or len(attributes) > _MOST_ATTRIBUTES:
            raise ValueError("too deep, or too many")

    def _end(self, name: str) -> None:
        self._depth -= 1


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0" or (encoding is not None and encoding.lower() != "utf-8"):
        raise ValueError("another version, or another encoding")


def _never(*_: object) -> NoReturn:
    raise ValueError("not in a response")


def _malformed(why: str) -> Invalid:
    return Invalid(f"The SAML response is malformed: {why}.")
