"""MFA devices as a person has them: a seed in a phone, and the codes that it shows by the clock of calls.

A code is good for a minute. A test that uses some stops that clock (`tests.clock`), so that none ends before the call that it is for.
"""

from base64 import b32decode
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from sekisho.credentials import one_time
from sekisho.store.tables import Entity, MfaDevice, ProofFailure
from tests import clock
from tests.harness import House


@dataclass(frozen=True, slots=True)
class Phone:
    """A device with its seed."""

    house: House
    serial: str
    seed: bytes

    def code(self, ahead: int = 0) -> str:
        """What it shows now, or so many half minutes later."""
        return one_time.code(self.seed, one_time.step(clock.now()) + ahead)

    def pair(self, ahead: int = 0) -> dict[str, Any]:
        """The two codes in a row of which the second is shown now, or so many half minutes later."""
        return {"authentication_code1": self.code(ahead - 1), "authentication_code2": self.code(ahead)}

    def forget(self) -> None:
        """Have the house forget which codes were used and how many were wrong, as if time had passed."""
        self.set(last_step=None, failures=0, failed_at=None)
        with self.house.node.database.write((self.house.account_id,)) as session:
            own = select(Entity.id).where(Entity.account_id == self.house.account_id)
            session.execute(delete(ProofFailure).where(ProofFailure.owner_id.in_(own)).execution_options(synchronize_session=False))

    def set(self, **columns: Any) -> None:
        """Change the device's row past the API."""
        with self.house.node.database.write((self.house.account_id,)) as session:
            row = session.get_one(MfaDevice, self.row.id)
            for name, value in columns.items():
                setattr(row, name, value)

    @property
    def row(self) -> MfaDevice:
        """What the database has of the device."""
        with self.house.node.database.read() as session:
            rows = session.query(MfaDevice).filter_by(account_id=self.house.account_id)
            return next(row for row in rows if self.serial.endswith(f"mfa{row.path}{row.name}"))


def phone(house: House, name: str = "phone", **fields: Any) -> Phone:
    """A new device that is nobody's."""
    made = house.call("CreateVirtualMFADevice", virtual_mfa_device_name=name, **fields).virtual_mfa_device
    return Phone(house, made.serial_number, b32decode(made.base32_string_seed))


def enabled(house: House, user: str, name: str = "phone") -> Phone:
    """A new device of a user, none of whose codes has been used."""
    made = phone(house, name)
    house.call("EnableMFADevice", user_name=user, serial_number=made.serial, **made.pair())
    made.forget()
    return made
