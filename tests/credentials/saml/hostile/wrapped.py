"""Signatures that wrap: something signed is somewhere in the document, and something else is where a careless reader looks."""

import re
from copy import deepcopy

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from tests.credentials.saml.hostile.making import (
    IDP,
    IDS,
    ONE,
    OURS,
    PLACED,
    SAML,
    SAMLP,
    SIGNED,
    TWICE,
    evil,
    found,
    hostile,
    mallory,
    object_of,
    plain,
    sent,
    signature_of,
    tree,
    whole,
)
from tests.identity_provider import DS, assertion, encode, encrypt, response, sign


@hostile("xsw1_signed_response_inside_the_signature_of_an_evil_one", PLACED)
def _() -> str:
    original = tree(whole())
    forged, signature = evil(original), deepcopy(signature_of(original))
    inner = deepcopy(original)
    inner.remove(signature_of(inner))
    signature.append(inner)
    forged.insert(1, signature)
    return sent(forged)


@hostile("xsw2_signed_response_before_the_signature_of_an_evil_one", PLACED)
def _() -> str:
    original = tree(whole())
    forged, signature = evil(original), deepcopy(signature_of(original))
    inner = deepcopy(original)
    inner.remove(signature_of(inner))
    forged.insert(1, inner)
    forged.insert(2, signature)
    return sent(forged)


@hostile("xsw3_evil_assertion_before_the_signed_one", TWICE)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    root.insert(list(root).index(original), evil(original))
    return sent(root)


@hostile("xsw4_evil_assertion_around_the_signed_one", PLACED)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    forged = evil(original)
    root.replace(original, forged)
    forged.append(original)
    return sent(root)


@hostile("xsw5_signature_in_the_evil_assertion_and_the_signed_one_last", TWICE)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    forged, signature = evil(original), signature_of(original)
    original.remove(signature)
    forged.insert(1, signature)
    root.insert(list(root).index(original), forged)
    return sent(root)


@hostile("xsw6_signed_assertion_inside_the_signature_of_the_evil_one", PLACED)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    forged, signature = evil(original), signature_of(original)
    original.remove(signature)
    forged.insert(1, signature)
    root.replace(original, forged)
    signature.append(original)
    return sent(root)


@hostile("xsw7_evil_assertion_in_extensions", PLACED)
def _() -> str:
    root = tree(plain())
    extensions = etree.Element(f"{SAMLP}Extensions")
    extensions.append(evil(found(root, f"{SAML}Assertion")))
    root.insert(1, extensions)
    return sent(root)


@hostile("xsw8_signed_assertion_in_an_object_of_the_signature", PLACED)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    forged, signature = evil(original), signature_of(original)
    original.remove(signature)
    forged.insert(1, signature)
    root.replace(original, forged)
    object_of(signature).append(original)
    return sent(root)


@hostile("the_same_id_on_the_evil_assertion_and_on_the_signed_one", TWICE)
def _() -> str:
    root = tree(plain())
    original = found(root, f"{SAML}Assertion")
    forged = evil(original)
    forged.set("ID", original.get("ID", ""))
    root.append(forged)
    return sent(root)


@hostile("the_response_takes_the_id_of_the_signed_assertion", IDS)
def _() -> str:
    root = tree(plain())
    root.set("ID", found(root, f"{SAML}Assertion").get("ID", ""))
    return sent(root)


@hostile("an_attribute_Id_in_the_assertion_beside_ID", IDS)
def _() -> str:
    root = tree(plain())
    found(root, f"{SAML}Subject").set("ID", found(root, f"{SAML}Assertion").get("ID", ""))
    return sent(root)


@hostile("an_attribute_in_a_namespace_that_a_library_takes_for_an_id", IDS)
def _() -> str:
    root = tree(plain())
    found(root, f"{SAML}Subject").set("{urn:evil}Id", "_x")
    return sent(root)


@hostile("xml_id_on_an_element", "an attribute is none of its own")
def _() -> str:
    root = tree(plain())
    found(root, f"{SAML}Subject").set("{http://www.w3.org/XML/1998/namespace}id", "_x")
    return sent(root)


@hostile("the_signature_is_one_of_another_element", SIGNED)
def _() -> str:
    root = tree(plain())
    signature_of(root).find(f"./{{{DS}}}SignedInfo/{{{DS}}}Reference").set("URI", f"#{root.get('ID')}")
    return sent(root)


@hostile("the_signature_of_the_assertion_is_moved_to_the_response", SIGNED)
def _() -> str:
    root = tree(plain())
    root.insert(1, signature_of(root))
    return sent(root)


@hostile("the_assertion_is_in_a_response_of_another_root", "it is no response")
def _() -> str:
    return encode('<evil xmlns="urn:evil">' + plain() + "</evil>")


@hostile("an_assertion_without_a_response", "it is no response")
def _() -> str:
    return encode(sign(assertion(mallory()), IDP.pair))


@hostile("a_logout_response", "it is no response")
def _() -> str:
    return encode(plain().replace("samlp:Response", "samlp:LogoutResponse"))


@hostile("two_assertions_both_signed", TWICE)
def _() -> str:
    return encode(response(mallory(), sign(assertion(mallory()), IDP.pair) + sign(assertion(mallory()), IDP.pair)))


@hostile("an_assertion_beside_an_encrypted_one", ONE)
def _() -> str:
    assert isinstance(OURS.key, rsa.RSAPrivateKey)
    return encode(response(mallory(), sign(assertion(mallory()), IDP.pair) + encrypt(assertion(mallory()), OURS.key.public_key())))


@hostile("no_assertion_at_all", ONE)
def _() -> str:
    return encode(response(mallory(), ""))


@hostile("a_response_in_an_attribute_of_the_signed_assertion", PLACED)
def _() -> str:
    inner = f"<saml:Attribute Name='x'><saml:AttributeValue>{assertion(mallory(), place='')}</saml:AttributeValue></saml:Attribute>"
    return encode(response(mallory(), sign(assertion(mallory(), attributes=inner), IDP.pair)))


@hostile("two_subjects", TWICE)
def _() -> str:
    text = assertion(mallory())
    subject = re.search(r"<saml:Subject>.*</saml:Subject>", text)
    assert subject is not None
    return encode(response(mallory(), sign(text.replace(subject[0], subject[0] * 2), IDP.pair)))


@hostile("two_issuers", TWICE)
def _() -> str:
    text = assertion(mallory()).replace("<saml:Issuer>", "<saml:Issuer>https://other</saml:Issuer><saml:Issuer>")
    return encode(response(mallory(), sign(text, IDP.pair)))
