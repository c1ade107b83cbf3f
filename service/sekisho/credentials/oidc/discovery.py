"""The keys of a provider, where it says that they are.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
"""

import time
from typing import NamedTuple

from sekisho.credentials.errors import InvalidIdentityToken
from sekisho.credentials.oidc import fetching, keys
from sekisho.credentials.oidc.addresses import Allowed
from sekisho.credentials.oidc.keys import Keys
from sekisho.credentials.oidc.objects import NotAnObject, read_object
from sekisho.credentials.oidc.tokens import NO_KEY, SCHEME

LIMIT = 5.0
"""Seconds for both documents together."""

_DOCUMENT = "/.well-known/openid-configuration"


class Source(NamedTuple):
    """A provider as far as its keys go: the account that registered it, its issuer without `https://`, and its thumbprints."""

    account: str
    issuer: str
    thumbprints: tuple[str, ...]


def load_keys(source: Source, allowed: Allowed) -> Keys:
    """The keys that the provider publishes now; IDPCommunicationError, or InvalidIdentityToken for what is not such a document."""
    deadline = time.monotonic() + LIMIT
    url = SCHEME + source.issuer
    try:
        document = read_object(fetching.get(url.rstrip("/") + _DOCUMENT, source.thumbprints, allowed, deadline, account=source.account))
        where = document.get("jwks_uri")
        if document.get("issuer") != url or not isinstance(where, str):
            raise InvalidIdentityToken(NO_KEY)
        return keys.read(fetching.get(where, source.thumbprints, allowed, deadline, account=source.account))
    except NotAnObject:
        raise InvalidIdentityToken(NO_KEY) from None
