"""Bearer tokens, for tools that cannot sign: a presigned GetCallerIdentity that names its audience.

`authorization: Bearer TOKEN` over gRPC is then worth as much as a signature, for 15 minutes at most; so is the `bearer_token` of Authorize.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from urllib.parse import quote

from sekisho import sigv4

MAX_EXPIRES = 900
_HOST = "sts.sekisho.internal"


def token(credentials: sigv4.Credentials, audience: str, now: datetime, *, expires: int = MAX_EXPIRES, region: str = "local") -> str:
    """A token that is its maker's identity for `expires` seconds from now, to be kept as secret as a password."""
    query = f"Action=GetCallerIdentity&Version=2011-06-15&X-Sekisho-Audience={quote(audience, safe='-_.~')}"
    request = sigv4.HttpRequest("GET", "/", query, (("Host", _HOST),))
    signed = sigv4.presign_http(credentials, request, region, "sts", now, expires=expires)
    return urlsafe_b64encode(f"https://{_HOST}/?{signed.query}".encode()).decode().rstrip("=")
