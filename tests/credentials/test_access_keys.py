"""Long-term keys look like AWS's and open only in their row."""

import re

import pytest

from sekisho.credentials import access_keys, key_ids
from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import KeyRing


def test_a_new_key() -> None:
    key = access_keys.new_access_key("111122223333")
    assert key_ids.account_of_key_id(key.access_key_id) == "111122223333"
    assert re.fullmatch("[A-Za-z0-9+/]{40}", key.secret_access_key)
    assert key.session_token is None
    assert access_keys.new_access_key("111122223333").secret_access_key != key.secret_access_key


def test_a_secret_opens_in_its_row_only(ring: KeyRing) -> None:
    key, other = access_keys.new_access_key("111122223333"), access_keys.new_access_key("111122223333")
    sealed = access_keys.seal(key, ring)
    assert key.secret_access_key.encode() not in sealed
    assert access_keys.unseal(key.access_key_id, sealed, ring) == key.secret_access_key
    with pytest.raises(SealBroken):
        access_keys.unseal(other.access_key_id, sealed, ring)
    assert ring.unseal("access-keys", sealed, ("access_keys", "secret", key.access_key_id)) == key.secret_access_key.encode()
