"""Keys of the list sign and are verified as others are, and whoever makes keys in this process has them of it."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import keys
from tests import rsa_keys


def test_every_key_is_another_and_good() -> None:
    made = [rsa_keys.generate_private_key(65537, 2048) for _ in range(300)]
    assert len({key.public_key().public_numbers().n for key in made}) == 300
    for key in made[:3]:
        assert key.key_size == 2048
        assert key.private_numbers().private_key().key_size == 2048, "its parts fit together"
        assert keys.is_signed(keys.public_der(key.public_key()), b"text", keys.sign(key, b"text"))


def test_every_prime_is_in_a_good_key() -> None:
    for p, q in itertools.pairwise(rsa_keys.PRIMES):
        assert (p * q).bit_length() == 2048
        assert pow(2, p - 1, p) == pow(2, q - 1, q) == 1


def test_what_makes_keys_takes_them_of_the_list(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keyring.json")
    for key in (
        keys.opened(keys.make(ring, datetime.now(UTC)), ring),
        RSAKey.generate_key(2048).private_key,
        rsa.generate_private_key(65537, 2048),
    ):
        assert isinstance(key, rsa.RSAPrivateKey)
        assert {key.private_numbers().p, key.private_numbers().q} <= {*rsa_keys.PRIMES}


def test_a_key_that_is_not_of_the_usual_kind_is_looked_for() -> None:
    assert rsa.generate_private_key(65537, 2064).key_size == 2064
    assert rsa.generate_private_key(3, 2048).public_key().public_numbers().e == 3
