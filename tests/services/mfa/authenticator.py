"""A passkey in software: what a browser and a security key do together, and whatever a test has them do wrong.

Source: https://www.w3.org/TR/webauthn-3/#sctn-generating-an-attestation-object and #sctn-op-get-assertion
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN, RP_ID = "https://console.example.com", "example.com"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def data(given: str) -> bytes:
    """What stands in base64url without padding."""
    return urlsafe_b64decode(given + "=" * (-len(given) % 4))


@dataclass
class Passkey:
    """A key pair with the id that it is known by; `counts` False is one that does not count, as those that are synchronised."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    counts: bool = True

    def register(self, options: str, **wrong: Any) -> str:
        """A RegistrationResponseJSON for the options of navigator.credentials.create()."""
        asked = json.loads(options)
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + self.cose()
        authenticator_data = self._data(wrong, PRESENT | VERIFIED | ATTESTED) + wrong.get("attested", attested)
        attestation = {"fmt": wrong.get("fmt", "none"), "attStmt": wrong.get("statement", {}), "authData": authenticator_data}
        response = {
            "clientDataJSON": text(self._client_data("webauthn.create", asked["challenge"], wrong)),
            "attestationObject": text(wrong.get("attestation", cbor2.dumps(attestation))),
        }
        return self._said(response, wrong)

    def cose(self) -> bytes:
        """Its public key."""
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})

    def sign(self, options: str, **wrong: Any) -> str:
        """An AuthenticationResponseJSON for the options of navigator.credentials.get()."""
        asked = json.loads(options)
        self.count += self.counts
        client_data = self._client_data("webauthn.get", asked["challenge"], wrong)
        authenticator_data = self._data(wrong, PRESENT | VERIFIED)
        signed = authenticator_data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": text(client_data),
            "authenticatorData": text(authenticator_data),
            "signature": text(wrong.get("signature", self.key.sign(signed, ec.ECDSA(SHA256())))),
            **({"userHandle": text(wrong["user_handle"])} if "user_handle" in wrong else {}),
        }
        return self._said(response, wrong)

    def _data(self, wrong: dict[str, Any], flags: int) -> bytes:
        rp_id, count = wrong.get("rp_id", RP_ID), wrong.get("count", self.count)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([wrong.get("flags", flags)]) + int(count).to_bytes(4)

    def _client_data(self, kind: str, challenge: str, wrong: dict[str, Any]) -> bytes:
        said = {
            "type": wrong.get("type", kind),
            "challenge": wrong.get("challenge", challenge),
            "origin": wrong.get("origin", ORIGIN),
            "crossOrigin": wrong.get("cross_origin", False),
        }
        return json.dumps(said).encode()

    def _said(self, response: dict[str, str], wrong: dict[str, Any]) -> str:
        id_ = text(wrong.get("id", self.id))
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response, "clientExtensionResults": {}})
