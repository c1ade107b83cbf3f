"""Signatures of answers: by them a caller knows that who answers has the secret that signed the call."""

import hashlib
import hmac

NONCE = (16, 64)
"""Bytes of a nonce, at least and at most; whoever calls makes one for each call."""

_PURPOSE = b"SEKISHO1-ANSWER"  # so that the key is none of Signature Version 4, which begins with AWS4


def sign_answer(secret: str, path: str, nonce: bytes, index: int, content: bytes) -> bytes:
    """The signature of the message at place `index` (from 0) of the answer to the call of `path` that sent `nonce`."""
    key = hmac.digest(_PURPOSE + secret.encode(), path.encode(), "sha256")
    said = hashlib.sha256(content).digest()
    return hmac.digest(key, len(nonce).to_bytes(8) + nonce + index.to_bytes(8) + said, "sha256")


def verify_answer(secret: str, path: str, nonce: bytes, index: int, content: bytes, signature: bytes) -> bool:
    """Whether the signature is that of this message at this place."""
    return hmac.compare_digest(sign_answer(secret, path, nonce, index, content), signature)
