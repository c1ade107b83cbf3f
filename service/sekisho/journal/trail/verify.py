"""Verifies a trail: every link, its record, its place, and the checkpoints. Pure: evidence comes in, faults come out.

Four things hold of a trail that nobody has touched, and each of them is looked at:
- each link is the keyed hash of the one before, of its record and of its place, from an account's beginning or its sealed anchor on;
- the chains together are as long as the newest ordinal is high, so no link of any account is missing;
- revisions and numbers of the spool rise one by one along the ordinals, so no record was removed or brought in before it was linked;
- each head that a checkpoint names is the hash of the link there.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sekisho.credentials.envelopes import Key
from sekisho.credentials.key_ring import UnknownKey
from sekisho.journal.trail import chain
from sekisho.journal.trail.chain import Head, Record
from sekisho.journal.trail.faults import Fault
from sekisho.journal.trail.statements import Heads
from sekisho.store.tables import TrailAnchor

KeyOf = Callable[[str], Key]


class Link(NamedTuple):
    """A link as a database or an export has it."""

    ordinal: int
    account_id: str
    sequence: int
    record_id: str
    hash: str


class Walker:
    """Walks along links in the order of their ordinals, and notes what is wrong.

    `key_of` gives the keys of the ring by their ids; without it, hashes are compared with checkpoints alone. `whole` is about a trail of
    all accounts from its beginning, or from its anchors, on.
    """

    def __init__(self, anchors: Iterable[TrailAnchor], heads: Heads, key_of: KeyOf | None, *, whole: bool) -> None:
        self.faults: list[Fault] = []
        self.links = 0
        self.ordinal = 0
        self.revision = self.spooled = 0
        """The newest numbers of records that are linked."""
        self._key_of, self._whole = key_of, whole
        self._expected = heads
        self._heads: dict[str, Head] = {}
        self._anchors = {anchor.account_id: anchor for anchor in anchors}
        self._shared: str | None = None  # of the newest revision, where several accounts have a record of it
        self._open = {"revision": 0, "spooled": 0}
        for anchor in self._anchors.values():
            self._anchor(anchor)

    def begin(self, account_id: str, head: Head) -> None:
        """Take the head of an account as given: of a walk that does not begin at the beginning."""
        self._heads[account_id] = head

    def is_begun(self, account_id: str) -> bool:
        """True when the head of an account is known."""
        return account_id in self._heads

    @property
    def accounts(self) -> int:
        """The number of chains."""
        return len(self._heads)

    def without_revision(self, newest: int) -> int:
        """Ordinals up to the newest one, since the last revision, whose links retention has taken."""
        return self._open["revision"] + max(0, newest - self.ordinal)

    def take(self, link: Link, record: Record | None) -> None:
        """Look at the next link."""
        before = self._heads.get(link.account_id, chain.NOTHING)
        wrong = self._wrong(link, record, before)
        if wrong:
            self._fault(wrong, link)
        elif link.sequence != before.sequence + 1:
            missing = Fault("the link is missing, and its record with it", link.account_id, before.sequence + 1, 0)
            self.faults.append(missing)
        said = self._expected.pop((link.account_id, link.sequence), None)
        if said is not None and said[0] != link.hash:
            self._fault(f"the link is not the one that checkpoint {said[1]} says", link)
        if self._whole:
            self._count(link, record)
        self._heads[link.account_id] = Head(link.sequence, link.hash)
        self.links += 1
        self.ordinal = link.ordinal

    def end(self) -> None:
        """Look at what is there when no further link comes."""
        for (account, sequence), (hash_, number) in self._expected.items():
            anchor = self._anchors.get(account)
            kept_from = anchor.sequence if anchor is not None else 0
            if sequence == kept_from and anchor is not None and anchor.hash != hash_:
                self.faults.append(Fault(f"the chain does not begin with the link that checkpoint {number} says", account, sequence))
            elif sequence > kept_from:
                ends = self._heads.get(account, chain.NOTHING).sequence
                wrong = (
                    f"checkpoint {number} has seen this link, and the chain ends at {ends}" if ends < sequence else "the link is missing"
                )
                self.faults.append(Fault(wrong, account, sequence))
        if self._whole:
            newest = max(self.ordinal, max((anchor.ordinal for anchor in self._anchors.values()), default=0))
            total = sum(head.sequence for head in self._heads.values())
            if total != newest:
                self.faults.append(Fault(f"the chains have {total} links together, and the newest ordinal is {newest}", ordinal=newest))

    def _anchor(self, anchor: TrailAnchor) -> None:
        self._heads[anchor.account_id] = Head(anchor.sequence, anchor.hash)
        if self._key_of is None:
            return
        try:
            sealed = chain.is_sealed(self._key_of, anchor)
        except (chain.UnknownFormError, UnknownKey):
            sealed = False
        if not sealed:
            self.faults.append(Fault("where the chain begins was not said by retention", anchor.account_id, anchor.sequence))

    def _wrong(self, link: Link, record: Record | None, before: Head) -> str:
        """The faults of a link by itself, or with what it follows on."""
        if record is None:
            return "the record is gone"
        if (record["id"], record["account_id"]) != (link.record_id, link.account_id):
            return "the record is not the one that was linked"
        if link.sequence != before.sequence + 1:
            return (
                ""
                if link.sequence > before.sequence
                else f"the link is there again, or its place was changed: {before.sequence} is before it"
            )
        if self._key_of is None:
            return ""
        try:
            fits = chain.is_link(self._key_of, link.hash, before.hash, link.account_id, link.sequence, link.ordinal, record)
        except (chain.UnknownFormError, UnknownKey) as error:
            return f"the link cannot be proven: {error}"
        return "" if fits else "the record, its place or the link before it was changed"

    def _count(self, link: Link, record: Record | None) -> None:
        """Look at ordinal and number of a link: both rise by one, but where retention has left a hole."""
        step = link.ordinal - self.ordinal - 1
        if step < 0:
            self._fault(f"the ordinal {link.ordinal} follows on {self.ordinal}", link)
        for name in self._open:
            self._open[name] += max(0, step)
        if record is None:
            for name in self._open:
                self._open[name] += 1  # whichever it had
            return
        for name, last in (("revision", self.revision), ("spooled", self.spooled)):
            number = record[name]
            if not isinstance(number, int):
                continue
            again = name == "revision" and number == last and record["shared_id"] is not None and record["shared_id"] == self._shared
            if not again and not last < number <= last + 1 + self._open[name]:
                self._fault(f"its {name} is {number}, and {last} is before it", link)
            self._open[name] = 0
            if name == "revision":
                self.revision, self._shared = max(last, number), record["shared_id"]
            else:
                self.spooled = max(last, number)
        if (record["revision"] is None) == (record["spooled"] is None):
            self._fault("it has to have a revision, or a number of the spool", link)

    def _fault(self, wrong: str, link: Link) -> None:
        self.faults.append(Fault(wrong, link.account_id, link.sequence, link.ordinal, link.record_id))
