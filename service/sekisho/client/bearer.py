"""Bearer tokens, for tools that cannot sign: a presigned GetCallerIdentity that names its audience.

`authorization: Bearer TOKEN` over gRPC, for 15 minutes at most, is good for calls that read or decide; what writes or issues credentials is
signed call by call. The `bearer_token` of Authorize is its maker as much as a signature is.
"""

from datetime import datetime

from sekisho.sigv4 import Credentials, bearer

MAX_EXPIRES = bearer.MAX_EXPIRES


def token(credentials: Credentials, audience: str, now: datetime, *, expires: int = MAX_EXPIRES) -> str:
    """A token that is its maker's identity for `expires` seconds from now, to be kept as secret as a password."""
    return bearer.make(credentials, audience, now, expires=expires).removeprefix(bearer.SCHEME)
