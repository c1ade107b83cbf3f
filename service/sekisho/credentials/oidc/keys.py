"""The keys of a provider: public ones that sign, each with the algorithms that its own type has.

An algorithm is never what a token says: a key of RSA verifies no HMAC, whatever stands in the header. Source: RFC 7517 and
RFC 8725, sections 3.1 and 3.2; the algorithms are those of
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html and RFC 8037
"""

from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError

from sekisho.credentials.oidc.objects import NotAnObject, read_object

Verifier = jwk.RSAKey | jwk.ECKey | jwk.OKPKey

MOST = 200
"""Keys of a provider that are looked at: AWS takes 100 of RSA and 100 of elliptic curves."""
LONGEST_ID = 1024
"""Characters of a key's id."""

_RSA_BITS = range(2048, 8193)
"""A shorter modulus is refused; a longer one takes too long to verify with."""
_LARGEST_EXPONENT = 2**32

_RSA = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_CURVES: Mapping[tuple[str, str], frozenset[str]] = {
    ("EC", "P-256"): frozenset(("ES256",)),
    ("EC", "P-384"): frozenset(("ES384",)),
    ("EC", "P-521"): frozenset(("ES512",)),
    ("OKP", "Ed25519"): frozenset(("EdDSA", "Ed25519")),
}
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""By type, the members that the public part of a key has: whatever else stands there is not read."""

ALGORITHMS = _RSA.union(*_CURVES.values())


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that verifies tokens signed with one of `algorithms`; `id` is empty for one that has none."""

    id: str
    algorithms: frozenset[str]
    verifier: Verifier


Keys = tuple[Key, ...]


def read(text: bytes) -> Keys:
    """The keys of a set, as far as they can be used; a ValueError for what is not a set of keys. Of the others there is nothing to say:
    a provider may have keys for other purposes, and of types to come.
    """
    found = read_object(text).get("keys")
    if not isinstance(found, list):
        raise NotAnObject("not a set of keys")
    return tuple(filter(None, map(_key, found[:MOST])))


def fitting(keys: Iterable[Key], key_id: str | None, algorithm: str) -> Keys:
    """The keys that a token may be signed with: those of its key id; of a token without one, the only key that there is."""
    known = tuple(keys)
    if key_id is None and len(known) != 1:
        return ()
    return tuple(key for key in known if algorithm in key.algorithms and key_id in (key.id, None))


def _key(given: Any) -> Key | None:
    if not isinstance(given, dict) or given.get("use", "sig") != "sig":
        return None
    operations = given.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    kind, id_ = given.get("kty"), given.get("kid", "")
    if not isinstance(kind, str) or kind not in _PUBLIC or not isinstance(id_, str) or len(id_) > LONGEST_ID:
        return None
    values = {member: given.get(member) for member in _PUBLIC[kind]}
    if not all(isinstance(value, str) for value in values.values()):
        return None
    if kind == "RSA" and not _is_strong(str(values["n"]), str(values["e"])):
        return None
    algorithms = _RSA if kind == "RSA" else _CURVES.get((kind, str(values["crv"])), frozenset())
    if "alg" in given:
        algorithms &= {given["alg"]} if isinstance(given["alg"], str) else set()
    try:
        verifier = jwk.import_key({"kty": kind, **values})  # type: ignore[dict-item]  # looked at just above
        if not algorithms or isinstance(verifier, jwk.OctKey):
            return None
        verifier.get_op_key("verify")  # which reads the numbers
    except (JoseError, ValueError, TypeError):
        return None
    return Key(id_, algorithms, verifier)


def _is_strong(modulus: str, exponent: str) -> bool:
    try:
        n, e = (int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in (modulus, exponent))
    except ValueError:
        return False
    return n.bit_length() in _RSA_BITS and e <= _LARGEST_EXPONENT
