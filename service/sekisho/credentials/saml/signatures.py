"""What a provider signed of a document: nothing else comes out of here.

The signature names its own parent by id, with the two transforms that SAML has (core, section 5.4); signxml verifies it by a certificate of
the metadata, whatever key the document itself offers, and gives back the bytes that were digested, read anew.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from sekisho.credentials.saml import documents
from sekisho.credentials.saml.errors import Invalid

_LEAST_RSA = 2048  # bits
_LONGEST_VALUE = 4096  # characters of a signature's value; RSA with 16,384 bits has 2,732
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_CANONICAL = ("http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments")
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_NAMESPACES = {"ds": "http://www.w3.org/2000/09/xmldsig#"}
_UNSIGNED = "Response signature invalid"


def usable(certificates: Sequence[bytes], now: datetime) -> list[x509.Certificate]:
    """The certificates, out of DER, with keys that are known and strong enough, whose time it is."""
    found = []
    for one in certificates:
        certificate = x509.load_der_x509_certificate(one)
        try:
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm):
            continue
        strong = isinstance(key, ec.EllipticCurvePublicKey) or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA)
        if strong and certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            found.append(certificate)
    return found


def is_signed(element: etree._Element) -> bool:
    """Whether the element itself has a signature; nothing is said of what that is worth."""
    return element.find(documents.SIGNATURE) is not None


def signed(root: etree._Element, tag: str, certificates: Sequence[x509.Certificate], now: datetime) -> etree._Element:
    """What is signed of the element of this tag, which is the root or its child: a tree of its own. Invalid where nothing is."""
    owner = root if root.tag == tag else root.find(tag)
    signature = owner.find(documents.SIGNATURE) if owner is not None else None
    if owner is None or signature is None:
        raise Invalid(_UNSIGNED)
    _check_form(signature, owner)
    config = SignatureConfiguration(
        location="./" if owner is root else f"./{tag}/",
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        expect_references=1,
        ignore_ambiguous_key_info=True,  # the document's word on its key is no word at all
        verification_time=now,
    )
    for certificate in certificates:
        try:
            found = XMLVerifier().verify(root, x509_cert=certificate, parser=documents.parser(), expect_config=config)
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError, KeyError):
            continue  # by the next certificate; whatever went wrong, this one did not sign it
        assert not isinstance(found, list)
        tree = found.signed_xml
        if tree is not None and tree.tag == tag and tree.get("ID") == owner.get("ID"):
            documents.check(tree)
            return tree
    raise Invalid(_UNSIGNED)


def _check_form(signature: etree._Element, owner: etree._Element) -> None:
    """Invalid unless the signature is one of its parent, by transforms that only canonicalize."""
    references = signature.findall("ds:SignedInfo/ds:Reference", _NAMESPACES)
    transforms = [one.get("Algorithm") for one in signature.findall("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", _NAMESPACES)]
    canonical = signature.find("ds:SignedInfo/ds:CanonicalizationMethod", _NAMESPACES)
    value = signature.findtext("ds:SignatureValue", "", _NAMESPACES)
    if (
        not owner.get("ID")
        or [one.get("URI") for one in references] != [f"#{owner.get('ID')}"]
        or len(transforms) != 2
        or transforms[0] != _ENVELOPED
        or transforms[1] not in _CANONICAL
        or canonical is None
        or canonical.get("Algorithm") not in _CANONICAL
        or len(value) > _LONGEST_VALUE
    ):
        raise Invalid(_UNSIGNED)
