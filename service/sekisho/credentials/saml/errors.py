"""Why a response is refused. The sentences are AWS's where it has one.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_saml.html
"""

from sekisho.errors import InvalidArgument


class SamlError(InvalidArgument):
    """A response that is not taken."""


class Invalid(SamlError):
    """The document is not what the provider signed for us."""


class Expired(SamlError):
    """It was, and its time is over."""


class Rejected(SamlError):
    """The provider itself says that it did not let somebody in."""
