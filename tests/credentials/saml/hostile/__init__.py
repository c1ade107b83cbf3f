"""Documents that nobody who is honest sends, each as a row: its name, the words that it is refused with, and what makes it.

Mallory has an account with the provider, so that he holds responses that it signed; he wants to be `admin`. Where a row starts from a
signed response, that one would be taken as it is. XSW 1 to 8 are those of https://www.usenix.org/system/files/conference/usenixsecurity12/sec12-final91.pdf.
"""

from tests.credentials.saml.hostile import encrypted, markup, misplaced, unsigned, wrapped
from tests.credentials.saml.hostile.making import HOSTILE

__all__ = ["HOSTILE", "encrypted", "markup", "misplaced", "unsigned", "wrapped"]
