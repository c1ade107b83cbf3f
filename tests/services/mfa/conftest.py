"""A house that makes passkeys, and a user with one."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials.passkeys import RelyingParty
from tests import harness
from tests.services.iam.documents import allow
from tests.services.mfa.authenticator import ORIGIN, RP_ID, Passkey

PARTY = RelyingParty(RP_ID, (ORIGIN, "https://other.example.com"))


def with_passkeys(house: harness.House) -> harness.House:
    """The house, told under which domain it makes passkeys."""
    house.node = replace(house.node, passkeys=PARTY)
    return house


@pytest.fixture
def house(house: harness.House) -> harness.House:
    return with_passkeys(house)


@dataclass
class Person:
    """A user, or the root user, with a passkey."""

    house: harness.House
    keys: sigv4.Credentials
    passkey: Passkey
    serial: str

    def options(self, **fields: Any) -> str:
        """What its browser is given to sign."""
        options: str = self.house.call("BeginPasskeyAssertion", _as=self.keys, **fields).options
        return options

    def proof(self, **wrong: Any) -> dict[str, Any]:
        """The fields by which a request proves the passkey."""
        return {"serial_number": self.serial, "passkey_assertion": self.passkey.sign(self.options(), **wrong)}


def person(house: harness.House, keys: sigv4.Credentials, passkey: Passkey | None = None, label: str = "laptop") -> Person:
    """Whoever has these keys, with a passkey that it has registered itself."""
    made = passkey or Passkey()
    options = house.call("BeginPasskeyRegistration", _as=keys).options
    serial = house.call("CompletePasskeyRegistration", _as=keys, label=label, credential=made.register(options)).serial_number
    return Person(house, keys, made, serial)


@pytest.fixture
def ann(house: harness.House) -> Person:
    return person(house, house.user("ann", allow("iam:EnableMFADevice", "sts:AssumeRole", "orders:Ship")))
