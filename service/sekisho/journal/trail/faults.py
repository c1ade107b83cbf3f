"""Faults: what is found to be wrong with a trail."""

from dataclasses import asdict, dataclass, field
from typing import Any

MOST = 100
"""Faults that are told; there may be more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, and with which record, as far as that can be told."""

    wrong: str
    account: str = ""
    sequence: int = 0
    ordinal: int = 0
    record: str = ""

    def __str__(self) -> str:
        where = [("account", self.account), ("sequence", self.sequence), ("record", self.record)]
        said = ", ".join(f"{name} {value}" for name, value in where if value)
        return f"{said}: {self.wrong}" if said else self.wrong


@dataclass(slots=True)
class Report:
    """The findings of a verification: faults, those of records by their ordinals first; and how much it looked at."""

    links: int = 0
    accounts: int = 0
    checkpoints: int = 0
    ordinal: int = 0
    """The newest that is proven."""
    attested: int = 0
    """The newest ordinal of a checkpoint: what is after it, nobody outside the database has seen."""
    unsealed: int = 0
    """Records that no link proves yet."""
    proven: bool = True
    """True when hashes were computed anew, which takes the key ring; else they are only those of the checkpoints."""
    notes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True when nothing is wrong."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"whole": self.whole, **asdict(self)}
