"""Records in memory by immutable id, bounded in bytes; and ids of which it is known that there is no such thing."""

from collections.abc import Iterable, Mapping, Sequence

from sekisho.policy import Attached, Program
from sekisho.world import (
    AccountRecord,
    ControlPolicyRecord,
    GroupRecord,
    IssuerRecord,
    OidcProviderRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    ResourceRecord,
    SamlProviderRecord,
    TagPolicyRecord,
)

BUDGET = 256 * 1024 * 1024
"""Bytes of records."""

MOST_ABSENT = 16_384
"""Ids that are remembered as nobody's, and as many ARNs that are not registered; the oldest is forgotten first."""

LONGEST = 128
"""Characters of an id that is remembered as nobody's: ids of keys come from callers."""

LONGEST_ARN = 1_024
"""The same of the key of a registered resource, which is in ASCII."""

_ARN = "arn:"

_FIXED_COST = 2_048  # bytes of a record without documents, measured with tracemalloc, rounded up
_PER_STATEMENT = 4_096  # bytes of a compiled statement with `_COMMON` patterns, measured and rounded up as well
_COMMON = 3
_PER_PATTERN = 1_536  # bytes of an action, a resource or a condition beyond these: one statement of 6,144 characters may have hundreds
_PER_VALUE = 512  # bytes of a condition's value: addresses take 420
_TEXT = 64  # bytes of a string beside its characters, and of its place in a tuple
_PER_ACTION = 512  # bytes of an action that a program remembers, of the longest name: its text and its place in a dictionary
_PER_PAIR = 4_096  # bytes of a pair of keys, rounded up: the sealed private key of RSA takes 1.7 KB


class _Slot:
    """A record with its cost, `kept` that which does not grow, and whether it was asked for since the last sweep."""

    __slots__ = ("cost", "kept", "record", "used")

    def __init__(self, record: Record) -> None:
        self.record, self.used = record, True
        self.kept = _FIXED_COST + sum(_made(one.program) for one in _policies(record))
        if isinstance(record, TagPolicyRecord):
            self.kept += 4 * len(record.content)  # bytes that its characters take at most
        elif isinstance(record, AccountRecord):
            self.kept += 4 * sum(len(text) for _, text in record.data_selectors + record.organization_data_selectors)
            self.kept += sum(_TEXT + len(name) for name in record.registers)
        elif isinstance(record, OidcProviderRecord):
            self.kept += sum(_TEXT + 4 * len(one) for one in (*record.client_ids, *record.thumbprints))
        elif isinstance(record, SamlProviderRecord):
            self.kept += sum(_TEXT + len(one) for one in (*record.certificates, *(sealed for _, sealed in record.private_keys)))
        elif isinstance(record, IssuerRecord):
            self.kept += _PER_PAIR * len(record.keys)
        elif isinstance(record, ResourceRecord):
            self.kept += 2 * len(record.id) + sum(2 * _TEXT + 4 * (len(key) + len(value)) for key, value in record.tags.items())
        self.cost = self.kept + _grown(record)


class Records:
    """Records by key: the id, or `entity_key` of it. Changed by one thread at a time, read by all."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._slots: dict[str, _Slot] = {}
        self._size = 0
        self._absent: dict[str, None] = {}
        self._absent_arns: dict[str, None] = {}  # by themselves, so that a flood of ARNs forgets no key that is nobody's
        self._unweighed: list[str] = []

    def get_record(self, key: str) -> Record | None:
        """The record of a key; None when it is not in memory."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        slot.used = True
        return slot.record

    def is_absent(self, id_: str) -> bool:
        """Whether it is remembered that there is no such thing."""
        return id_ in self._absent or id_ in self._absent_arns

    def keep(self, key: str, record: Record) -> None:
        """Keep a record, unless it is larger than all that may be kept."""
        slot = _Slot(record)
        if slot.cost <= self._budget:
            self._drop(key)
            self._present(key)
            self._slots[key] = slot
            self._size += slot.cost
            self._shrink()

    def keep_absent(self, id_: str) -> None:
        """Remember that there is no such thing."""
        absent, longest = (self._absent_arns, LONGEST_ARN) if id_.startswith(_ARN) else (self._absent, LONGEST)
        if len(id_) <= longest:
            absent[id_] = None
            if len(absent) > MOST_ABSENT:
                del absent[next(iter(absent))]

    def evict(self, id_: str) -> None:
        """Forget all that is known of an id."""
        self._drop(id_)
        self._drop(entity_key(id_))
        self._present(id_)

    def all(self) -> tuple[Mapping[str, Record], Sequence[str]]:
        """All records, the last to go last; and the ids that are nobody's."""
        return {key: slot.record for key, slot in self._slots.items()}, [*self._absent, *self._absent_arns]

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self._absent.clear()
        self._absent_arns.clear()
        self._size = 0

    def reweigh(self, count: int) -> None:
        """Look at so many records once more, the next ones each time: what programs remember of actions grows after they are kept."""
        if not self._unweighed:
            self._unweighed = list(self._slots)
        for _ in range(min(count, len(self._unweighed))):
            slot = self._slots.get(self._unweighed.pop())  # stays in its place: others read without a lock
            if slot is not None:
                cost = slot.kept + _grown(slot.record)
                self._size += cost - slot.cost
                slot.cost = cost
        self._shrink()

    @property
    def size(self) -> tuple[int, int]:
        """How many records are kept, and about how many bytes they take."""
        return len(self._slots), self._size

    def _shrink(self) -> None:
        """Second chance: the oldest record goes, unless it was used since it was last looked at."""
        while self._size > self._budget:
            key, slot = next(iter(self._slots.items()))
            self._drop(key)
            if slot.used:
                slot.used = False
                self._slots[key] = slot
                self._size += slot.cost

    def _present(self, id_: str) -> None:
        self._absent.pop(id_, None)
        self._absent_arns.pop(id_, None)

    def _drop(self, key: str) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._size -= slot.cost


def entity_key(id_: str) -> str:
    """Under what the entity of an id is kept, beside what it may do."""
    return f"{id_}/entity"


def cost_of(attached: Iterable[Attached]) -> int:
    """Bytes of compiled policies, about, with what they remember now."""
    return sum(_made(one.program) + _PER_ACTION * one.program.remembered for one in attached)


def _made(program: Program) -> int:
    statements = program.policy.statements
    patterns = sum(len(one.actions) + len(one.resources or ()) + len(one.conditions) for one in statements)
    values = sum(len(condition.values) for one in statements for condition in one.conditions)
    return _PER_STATEMENT * len(statements) + _PER_PATTERN * max(0, patterns - _COMMON * len(statements)) + _PER_VALUE * values


def _grown(record: Record) -> int:
    return _PER_ACTION * sum(one.program.remembered for one in _policies(record))


def _policies(record: Record) -> Sequence[Attached]:
    if isinstance(record, PolicyRecord | ControlPolicyRecord):
        return (record.attached,)
    if isinstance(record, GroupRecord):
        return record.inline
    if isinstance(record, PrincipalRecord):
        return record.inline if record.trust is None else (*record.inline, record.trust)
    if isinstance(record, ResourceRecord) and record.policy is not None:
        return (record.policy,)
    return ()
