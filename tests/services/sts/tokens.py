"""Identity tokens, as those who verify and use them see them."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from tests.harness import House

SHOP = "shop.example.com"


def issued(house: House, credentials: sigv4.Credentials | None = None, *audience: str, **fields: Any) -> str:
    """A token for an audience, by default the shop's."""
    asked = {"signing_algorithm": "ES384", "audience": audience or (SHOP,)} | fields
    return str(house.call("GetWebIdentityToken", _as=credentials, **asked).web_identity_token)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, unverified."""
    header, payload, _ = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(payload))


def decoded(text: str) -> bytes:
    """The bytes of a part."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    """A part of these bytes."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def asks(house: House, token: str, action: str = "orders:Ship", *, audience: str = SHOP, **fields: Any) -> pb.AuthorizeResponse:
    """The decision about whoever has a token."""
    fields = {"resource": "*", "at_least": house.revision} | fields
    found: pb.AuthorizeResponse = house.call("Authorize", bearer_token=token, audience=audience, action=action, **fields)
    return found


def may(house: House, token: str, action: str = "orders:Ship", **fields: Any) -> bool:
    """Whether whoever has a token may do something, now."""
    return asks(house, token, action, **fields).outcome == pb.OUTCOME_ALLOWED
