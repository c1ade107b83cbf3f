"""Passwords as Argon2id hashes."""

import pytest

from sekisho.credentials import passwords
from tests import hashes


@pytest.fixture(autouse=True)
def product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as servers do it."""
    monkeypatch.setattr(passwords, "_HASHER", hashes.PRODUCT)


def test_a_hash_fits_its_password_only() -> None:
    made = passwords.hashed("correct horse")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct" not in made
    assert passwords.fits("correct horse", made)
    assert not passwords.fits("correct horsf", made)
    assert not passwords.fits("", made)


def test_equal_passwords_have_different_hashes() -> None:
    assert passwords.hashed("same") != passwords.hashed("same")


def test_one_of_several() -> None:
    old = [passwords.hashed("first"), passwords.hashed("second")]
    assert passwords.fits_any("second", old)
    assert not passwords.fits_any("third", old)
    assert not passwords.fits_any("third", [])
