"""A key ring for a test to seal with."""

from pathlib import Path

import pytest

from sekisho.credentials.key_ring import KeyRing


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")
