"""Signatures that are not the provider's, or not strong enough."""

import re
from copy import deepcopy
from datetime import timedelta

from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

from tests.credentials.saml.hostile.making import IDP, SIGNED, TWICE, found, mallory, plain, rows, sent, signature_of, tree
from tests.identity_provider import DS, EXCLUSIVE, PLACE, assertion, attribute, encode, pair, response, sign

INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


def _hmac() -> str:
    """The public certificate, which everybody has, as the key of an HMAC."""
    signer = XMLSigner(SignatureConstructionMethod.enveloped, "hmac-sha256", "sha256", EXCLUSIVE)
    signer.namespaces = {"ds": DS}
    root = tree(assertion(mallory()))
    done = signer.sign(root, key=IDP.pair.der, reference_uri=f"#{root.get('ID')}")
    return encode(response(mallory(), etree.tostring(done).decode()))


def _without_signature() -> str:
    return encode(response(mallory(), assertion(mallory(), place="")))


def _changed(old: str, new: str) -> str:
    text = plain()
    assert old in text
    return encode(text.replace(old, new))


def _in_signature(path: str, name: str, value: str) -> str:
    root = tree(plain())
    one = signature_of(root).find("/".join(f"{{{DS}}}{step}" for step in path.split("/")))
    assert one is not None
    one.set(name, value)
    return sent(root)


def transform(algorithm: str, inner: str = "") -> str:
    """One more transform, after the provider signed, or before: whoever reads it has to refuse it."""
    root = tree(plain())
    transforms = found(root, f"{{{DS}}}Transforms")
    one = etree.SubElement(transforms, f"{{{DS}}}Transform", {"Algorithm": algorithm})
    if inner:
        one.append(etree.fromstring(inner))
    return sent(root)


def _own_method(method: str, digest: str = "sha256", c14n: str = EXCLUSIVE) -> str:
    return encode(response(mallory(), sign(assertion(mallory()), IDP.pair, method=method, digest=digest, c14n=c14n)))


def _emptied_reference() -> str:
    """The reference of a whole document, which SAML does not have."""
    return _in_signature("SignedInfo/Reference", "URI", "")


def _no_references() -> str:
    root = tree(plain())
    info = found(root, f"{{{DS}}}SignedInfo")
    info.remove(found(info, f"{{{DS}}}Reference"))
    return sent(root)


def two_references() -> str:
    root = tree(plain())
    info = found(root, f"{{{DS}}}SignedInfo")
    info.append(deepcopy(found(info, f"{{{DS}}}Reference")))
    return sent(root)


def _flipped(tag: str) -> str:
    root = tree(plain())
    one = found(root, f"{{{DS}}}{tag}")
    text = (one.text or "").strip()
    one.text = ("B" if text[0] == "A" else "A") + text[1:]
    return sent(root)


def _emptied(tag: str) -> str:
    root = tree(plain())
    found(root, f"{{{DS}}}{tag}").text = ""
    return sent(root)


def _nested_key_value() -> str:
    """The key of the attacker in KeyValue, with a signature by it."""
    signer = XMLSigner(SignatureConstructionMethod.enveloped, "rsa-sha256", "sha256", EXCLUSIVE)
    signer.namespaces = {"ds": DS}
    root = tree(assertion(mallory()))
    done = signer.sign(root, key=pair("mallory").private_pem, reference_uri=f"#{root.get('ID')}")
    return encode(response(mallory(), etree.tostring(done).decode()))


def _bad_outer(good_inner: bool) -> str:
    """One signature of two is forged."""
    inner = sign(assertion(mallory()), IDP.pair if good_inner else pair("mallory"))
    return encode(sign(response(mallory(), inner, place=PLACE), pair("mallory") if good_inner else IDP.pair))


def _other_provider(bits: int = 2048, **valid: int) -> str:
    return encode(response(mallory(), sign(assertion(mallory()), pair(f"other {bits} {valid}", bits=bits, **valid))))


rows(
    SIGNED,
    unsigned=_without_signature,
    the_signature_is_stripped=lambda: encode(re.sub(r"(?s)<ds:Signature .*</ds:Signature>", "", plain())),
    the_subject_is_changed=lambda: _changed("mallory@example.com", "admin@example.com"),
    the_role_is_changed=lambda: _changed("role/dev", "role/adm"),
    the_session_name_is_changed=lambda: _changed(">mallory<", ">admin<"),
    an_attribute_is_added=lambda: _changed("</saml:AttributeStatement>", attribute("x", ["y"]) + "</saml:AttributeStatement>"),
    an_attribute_is_removed=lambda: encode(
        re.sub(r"(?s)<saml:Attribute Name=.https://aws.amazon.com/SAML/Attributes/Role.*?</saml:Attribute>", "", plain())
    ),
    the_end_is_moved=lambda: _changed(mallory().at(timedelta(minutes=5)), mallory().at(timedelta(minutes=4))),
    an_empty_signature=lambda: encode(re.sub(r"(?s)<ds:Signature .*</ds:Signature>", f'<ds:Signature xmlns:ds="{DS}"/>', plain())),
    a_signature_without_references=_no_references,
    a_reference_to_the_document=_emptied_reference,
    a_reference_to_a_file=lambda: _in_signature("SignedInfo/Reference", "URI", "file:///etc/passwd"),
    a_reference_to_a_server=lambda: _in_signature("SignedInfo/Reference", "URI", "http://127.0.0.1:1/x"),
    a_reference_by_xpointer=lambda: _in_signature("SignedInfo/Reference", "URI", "#xpointer(/)"),
    signed_with_sha1=lambda: _own_method("rsa-sha1"),
    digested_with_sha1=lambda: _own_method("rsa-sha256", "sha1"),
    signed_with_sha224=lambda: _own_method("rsa-sha224"),
    a_method_that_is_none=lambda: _in_signature("SignedInfo/SignatureMethod", "Algorithm", "none"),
    a_method_of_dsa=lambda: _in_signature("SignedInfo/SignatureMethod", "Algorithm", "http://www.w3.org/2009/xmldsig11#dsa-sha256"),
    a_method_of_a_curve_with_a_key_of_rsa=lambda: _in_signature(
        "SignedInfo/SignatureMethod", "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    ),
    hmac_with_the_public_certificate=_hmac,
    hmac_in_the_name_alone=lambda: _in_signature(
        "SignedInfo/SignatureMethod", "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    ),
    the_key_of_the_attacker_in_key_info=lambda: encode(response(mallory(), sign(assertion(mallory()), pair("mallory")))),
    the_key_of_the_attacker_in_key_value=_nested_key_value,
    the_key_of_another_provider=_other_provider,
    inclusive_canonicalization=lambda: _own_method("rsa-sha256", "sha256", INCLUSIVE),
    inclusive_canonicalization_that_verifies=lambda: encode(
        sign(response(mallory(), assertion(mallory(), place=""), place=PLACE), IDP.pair, c14n=INCLUSIVE)
    ),
    a_reference_to_the_document_that_verifies=lambda: encode(
        sign(re.sub(' ID="_r[0-9a-f]+"', "", response(mallory(), assertion(mallory(), place=""), place=PLACE)), IDP.pair, named=False)
    ),
    a_transform_of_xslt=lambda: transform("http://www.w3.org/TR/1999/REC-xslt-19991116"),
    a_transform_of_xpath=lambda: transform("http://www.w3.org/TR/1999/REC-xpath-19991116"),
    a_transform_of_xpath_filter=lambda: transform("http://www.w3.org/2002/06/xmldsig-filter2"),
    a_transform_of_base64=lambda: transform("http://www.w3.org/2000/09/xmldsig#base64"),
    a_second_enveloped_transform=lambda: transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature"),
    a_digest_that_is_changed=lambda: _flipped("DigestValue"),
    a_value_that_is_changed=lambda: _flipped("SignatureValue"),
    a_value_that_is_empty=lambda: _emptied("SignatureValue"),
    a_digest_that_is_empty=lambda: _emptied("DigestValue"),
    the_response_forged_around_a_good_assertion=lambda: _bad_outer(good_inner=True),
    the_assertion_forged_in_a_good_response=lambda: _bad_outer(good_inner=False),
    a_signature_of_megabytes=lambda: encode(plain().replace("<ds:SignatureValue>", "<ds:SignatureValue>" + "QUFB" * 5000)),
)
rows(TWICE, a_signature_of_two_references=two_references)
