"""Documents that use what XML itself can do."""

import base64
import re

from tests.credentials.saml.hostile.making import IDP, PLACED, PLAIN, mallory, plain, rows
from tests.credentials.saml.hostile.unsigned import transform
from tests.identity_provider import assertion, encode, response, sign

BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))


def _doctype(declared: str, inner: str = "") -> str:
    return encode(f"<!DOCTYPE samlp:Response [{declared}]>{plain().replace('mallory@example.com', inner or 'mallory@example.com')}")


def _deep(depth: int) -> str:
    inner = "<saml:AttributeValue>" * depth + "</saml:AttributeValue>" * depth
    return encode(
        response(mallory(), sign(assertion(mallory(), attributes=f"<saml:Attribute Name='x'>{inner}</saml:Attribute>"), IDP.pair))
    )


def _named(text: str) -> str:
    """The provider signed the text in place of the name, comments and all: exclusive canonical XML drops comments."""
    return encode(response(mallory(), sign(assertion(mallory()).replace("mallory@example.com", text), IDP.pair)))


rows(
    PLAIN,
    a_document_type=lambda: _doctype(""),
    an_entity=lambda: _doctype('<!ENTITY admin "admin@example.com">', "&admin;"),
    an_entity_that_cuts_a_name=lambda: _doctype('<!ENTITY nothing "">', "admin@example.com&nothing;.evil.com"),
    an_entity_from_a_file=lambda: _doctype('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"),
    an_entity_from_a_server=lambda: _doctype('<!ENTITY x SYSTEM "http://127.0.0.1:1/">', "&x;"),
    an_entity_of_parameters=lambda: _doctype('<!ENTITY % x SYSTEM "http://127.0.0.1:1/e.dtd"> %x;'),
    a_document_type_from_a_server=lambda: encode(f'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/r.dtd">{plain()}'),
    a_billion_laughs=lambda: _doctype(BOMB, "&l9;"),
    a_quadratic_blow_up=lambda: _doctype(f'<!ENTITY a "{"a" * 20000}">', "&a;" * 4000),
    a_default_attribute=lambda: _doctype('<!ATTLIST saml:NameID Format CDATA "urn:evil">'),
    an_undeclared_entity=lambda: encode(plain().replace("mallory@example.com", "&admin;")),
    a_comment_that_cuts_a_name=lambda: _named("admin@example.com<!---->.evil.com"),
    a_comment_in_an_attribute=lambda: encode(plain().replace("role/dev", "role/adm<!-- x -->in")),
    a_comment_before_the_response=lambda: encode(f"<!-- x -->{plain()}"),
    an_instruction_that_cuts_a_name=lambda: _named("admin@example.com<?x y?>.evil.com"),
    a_style_sheet=lambda: encode(f'<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:1/x.xsl"?>{plain()}'),
    character_data_in_a_name=lambda: encode(plain().replace("mallory@example.com", "<![CDATA[mallory@example.com]]>")),
    utf_16=lambda: base64.b64encode(plain().encode("utf-16")).decode(),
    utf_7_by_declaration=lambda: encode(f'<?xml version="1.0" encoding="UTF-7"?>{plain()}'),
    latin_1_by_declaration=lambda: encode(f'<?xml version="1.0" encoding="ISO-8859-1"?>{plain()}'),
    a_mark_of_byte_order=lambda: encode("\ufeff" + plain()),
    xml_1_1=lambda: encode(f'<?xml version="1.1"?>{plain()}'),
    a_nul=lambda: encode(plain().replace("mallory@", "admin\x00@")),
    a_broken_character=lambda: base64.b64encode(plain().encode().replace(b"mallory@", b"\xff\xfe@")).decode(),
    an_end_that_is_missing=lambda: encode(plain()[:-5]),
    a_second_root=lambda: encode(plain() * 2),
    text_that_is_no_xml=lambda: encode("not at all"),
    nothing=lambda: "",
    deeper_than_any=lambda: _deep(40),
    very_deep=lambda: encode("<a>" * 20_000),
    very_many_elements=lambda: encode(
        plain().replace("</saml:AttributeStatement>", "<saml:Attribute/>" * 3500 + "</saml:AttributeStatement>")
    ),
    very_many_attributes=lambda: encode(
        plain().replace("<saml:Subject>", "<saml:Subject " + " ".join(f'a{n}="1"' for n in range(4000)) + ">")
    ),
    very_many_namespaces=lambda: encode(
        plain().replace("<saml:Subject>", "<saml:Subject " + " ".join(f'xmlns:n{n}="u:{n}"' for n in range(2000)) + ">")
    ),
    an_attribute_twice=lambda: encode(plain().replace(' Version="2.0"', ' Version="2.0" Version="2.0"', 1)),
)
rows(
    PLACED,
    an_include=lambda: encode(
        plain().replace(
            "mallory@example.com", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
        )
    ),
    a_style_sheet_in_a_transform=lambda: transform(
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"/></xsl:stylesheet>',
    ),
    an_element_that_cuts_a_name=lambda: _named("admin@example.com<x/>.evil.com"),
    the_name_in_another_namespace=lambda: encode(plain().replace("<saml:NameID ", '<saml:NameID xmlns:saml="urn:evil" ')),
    the_assertion_in_the_namespace_of_saml_1=lambda: encode(
        plain().replace("urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:1.0:assertion")
    ),
    a_manifest=lambda: encode(plain().replace("</ds:Signature>", "<ds:Object><ds:Manifest/></ds:Object></ds:Signature>")),
    a_way_to_a_key=lambda: encode(plain().replace("<ds:X509Data>", "<ds:MgmtData>x</ds:MgmtData><ds:X509Data>")),
    an_encrypted_name=lambda: _named_encrypted(),
    a_condition_of_ones_own=lambda: encode(
        response(mallory(), sign(assertion(mallory()).replace("</saml:Conditions>", "<saml:Condition/></saml:Conditions>"), IDP.pair))
    ),
    a_statement_of_decisions=lambda: encode(
        response(
            mallory(), sign(assertion(mallory()).replace("</saml:Assertion>", "<saml:AuthzDecisionStatement/></saml:Assertion>"), IDP.pair)
        )
    ),
)


def _named_encrypted() -> str:
    text = re.sub(r"<saml:NameID.*</saml:NameID>", "<saml:EncryptedID/>", assertion(mallory()))
    return encode(response(mallory(), sign(text, IDP.pair)))


rows("text stands between elements", text_between_elements=lambda: encode(plain().replace("<saml:Subject>", "<saml:Subject>admin")))
rows("base64", no_base64=lambda: "%%%", base64_with_rubbish=lambda: IDP.keycloak(mallory()) + "\x00", unicode_text=lambda: "关所")
rows("too long", very_long=lambda: "A" * 100_001, megabytes=lambda: "QUJD" * 3_000_000)
