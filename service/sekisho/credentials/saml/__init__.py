"""SAML 2.0 responses: what an identity provider says of somebody, out of a document that anybody may have written.

A document is read in four steps, each of which only sees what the one before let through:

    documents    bytes to a small tree of the few elements that a response has, each where it belongs and as often as it may stand there
    signatures   the tree to what the provider signed of it, by a certificate of its metadata; the rest is gone
    encryption   an assertion for our key alone to the assertion
    statements   the signed assertion to its facts, if it is for us, and for now

Pure: neither clock, network nor database. Sources: https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf, its web browser
profile in saml-profiles-2.0-os.pdf (section 4.1.4), and the attacks in https://www.usenix.org/system/files/conference/usenixsecurity12/sec12-final91.pdf
"""

from sekisho.credentials.saml.documents import LONGEST
from sekisho.credentials.saml.errors import Expired, Invalid, Rejected, SamlError
from sekisho.credentials.saml.response import AWS_RECIPIENT, Provider, read
from sekisho.credentials.saml.statements import NAME_FORMAT, Facts

__all__ = ["AWS_RECIPIENT", "LONGEST", "NAME_FORMAT", "Facts", "Provider", "read", "SamlError", "Invalid", "Expired", "Rejected"]
