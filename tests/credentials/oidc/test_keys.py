"""Which keys of a provider's set are used, and for which algorithms."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk

from sekisho.credentials.oidc import keys
from sekisho.credentials.oidc.objects import NotAnObject
from tests.providers import EC, ED, RSA

PUBLIC: dict[str, Any] = dict(RSA.as_dict(private=False))
POINT: dict[str, Any] = dict(EC.as_dict(private=False))


def read(*given: Any) -> dict[str, frozenset[str]]:
    """The algorithms of the keys that are used, by their ids."""
    return {key.id: key.algorithms for key in keys.read(json.dumps({"keys": list(given)}).encode())}


def of_rsa(bits: int, exponent: int = 65_537) -> dict[str, Any]:
    """The public key of a pair of this size."""
    number = rsa.generate_private_key(exponent, bits).public_key()
    return dict(jwk.RSAKey.import_key(number).as_dict(private=False)) | {"kid": str(bits)}


def test_a_key_has_the_algorithms_of_its_type() -> None:
    rsa_ = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
    plain = {name: value for name, value in PUBLIC.items() if name != "alg"}
    assert read(plain, POINT, ED.as_dict(private=False)) == {"rsa": rsa_, "ec": {"ES256"}, "ed": {"EdDSA", "Ed25519"}}
    assert read(PUBLIC) == {"rsa": {"RS256"}}


@pytest.mark.parametrize(
    "given",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        PUBLIC | {"use": "enc"},
        PUBLIC | {"key_ops": ["sign"]},
        PUBLIC | {"key_ops": "verify"},
        PUBLIC | {"alg": "HS256"},
        PUBLIC | {"alg": "none"},
        PUBLIC | {"alg": ["RS256"]},
        PUBLIC | {"kid": 7},
        PUBLIC | {"kid": "k" * 1025},
        PUBLIC | {"kty": ["RSA"]},
        PUBLIC | {"n": 5},
        PUBLIC | {"n": "!"},
        PUBLIC | {"n": ""},
        PUBLIC | {"e": "AA"},
        PUBLIC | {"e": "AQAAAAAAAAAAAAAAAAAAAAAAAAAB"},
        {"kty": "RSA", "kid": "a"},
        POINT | {"y": POINT["x"]},
        POINT | {"crv": "secp256k1"},
        POINT | {"crv": "P-384"},
        {"kty": "OKP", "crv": "X25519", "x": ED.as_dict(private=False)["x"], "kid": "a"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"},
        "key",
        None,
        [],
        {},
    ],
)
def test_a_key_that_cannot_be_used_is_passed_over(given: Any) -> None:
    assert read(given, POINT | {"kid": "good"}) == {"good": {"ES256"}}


def test_a_weak_key_of_rsa_is_passed_over() -> None:
    assert set(read(of_rsa(1024), of_rsa(2040), of_rsa(2048))) == {"2048"}
    huge = PUBLIC | {"n": "_" * 1400}  # 8,400 bits
    assert read(huge) == {}


def test_private_parts_are_not_read() -> None:
    (found,) = keys.read(json.dumps({"keys": [RSA.as_dict(private=True)]}).encode())
    assert not found.verifier.is_private


def test_two_hundred_keys_are_looked_at() -> None:
    assert len(keys.read(json.dumps({"keys": [POINT] * 201}).encode())) == 200


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"keys": {}}', b"{}", b'{"keys": [], "keys": []}', b'{"keys": "x"}', b"\xff", b"[" * 200_000]
)
def test_what_is_no_set_of_keys(text: bytes) -> None:
    with pytest.raises(NotAnObject):
        keys.read(text)


def test_a_key_is_found_by_its_id_alone() -> None:
    one, other = keys.read(json.dumps({"keys": [PUBLIC, POINT]}).encode())
    cases: Mapping[tuple[str | None, str], tuple[keys.Key, ...]] = {
        ("rsa", "RS256"): (one,),
        ("ec", "ES256"): (other,),
        ("rsa", "ES256"): (),
        ("RSA", "RS256"): (),
        ("", "RS256"): (),
        (None, "RS256"): (),
    }
    for (key_id, algorithm), found in cases.items():
        assert keys.fitting((one, other), key_id, algorithm) == found
    assert keys.fitting((one,), None, "RS256") == (one,)
