"""Who within a zone of trust can do what with resources: every user and role of its accounts, a page at a time.

Principals are read in a snapshot for each page, and asked about with none; who changes meanwhile is looked at again. Of those who are alike
one is asked. It takes at most half of the time of its thread, and what is not done within `LONGEST` is told as not known. A look goes on
for `TURN` at a time, and others of the scan have their turns between: until it has come to an end nothing is told of it.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy.orm import Session

from sekisho import policy, world
from sekisho.analysis import conditions
from sekisho.analysis.escalation.actors import reads_principal
from sekisho.analysis.inside import MOST_ACTIONS, Case, Outlook, actions, case_of, outlook, sessions
from sekisho.calls.service_definitions import load_definitions
from sekisho.errors import SekishoError
from sekisho.journal.analyzers.external import unknown
from sekisho.journal.analyzers.found import INTERNAL, Found
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.memory import loaders, pages
from sekisho.policy.definitions import ServiceDefinition
from sekisho.store import db
from sekisho.world import Acting, PrincipalRecord, Question, Record, SessionFacts, Subject
from sekisho.world.acting import UnknownPrincipal

if TYPE_CHECKING:  # a server without the solver does without it
    from sekisho.analysis.solver import Verdict

LONGEST = 20.0
"""Seconds of the processor that one look at a few resources may take."""
PATIENCE = 120.0
"""Seconds that it may take on a machine that has no time for it."""
TURN = 2.0
"""Seconds that it goes on before it is the turn of others; one question to the solver may take longer."""
MOST_GOING = 64
"""Looks that wait for their turns; further ones begin when there are fewer."""
ABANDONED = 600.0
"""Seconds after which a look is over that is not asked for any more: its analyzer is gone."""
PAGE = 100
"""Principals that are read at once."""
BURST = 0.002
"""Seconds of the processor after which the thread pauses for as long."""
MOST_RECORDS = 20_000
"""Records beside principals that one look keeps."""
MOST_ANSWERS = 4_096
"""Answers about cases that are kept, of some hundred bytes each."""
SESSION = "session"
"""The name of roles' sessions here."""

Ask = Callable[[Case], "Verdict"]


class Insiders:
    """Looks at all principals of a zone, and remembers what the solver has said."""

    def __init__(self, database: db.Database, ask: Ask, *, longest: float = LONGEST, turn: float = TURN) -> None:
        self._database, self._ask, self._longest, self._turn = database, ask, longest, turn
        self._answers: OrderedDict[bytes, Verdict] = OrderedDict()
        self._going: dict[str, _Look] = {}  # by analyzer

    def found(self, sources: Sequence[Source], trusted: Trusted, who: str = "") -> Mapping[str, tuple[Found, ...]]:
        """Who can do what with each resource, by the resources' ids; nothing of those of which the analyzer `who` is to ask again."""
        look = self._going.pop(who, None)
        if look is None or look.zone != trusted.hash or not any(source in look.sources for source in sources):
            self._going = {id_: one for id_, one in self._going.items() if time.monotonic() - one.rested_at < ABANDONED}
            if len(self._going) >= MOST_GOING:
                return {}
            look = _Look(self._database, sources, trusted, self._asked, self._longest)
        if not look.go_on(self._turn):
            self._going[who] = look
            return {}
        return {source.id: look.told(source) for source in sources if source in look.sources}

    def forget(self, ids: Collection[str] | None) -> None:
        """End the looks that have not come to an end of analyzers or at resources of these ids, which are others now, or gone. None is all
        of them.
        """
        self._going = {
            who: look
            for who, look in self._going.items()
            if ids is not None and who not in ids and not any(source.id in ids for source in look.sources)
        }

    def _asked(self, case: Case) -> "Verdict | None":
        """What the solver says of a case, None where it says nothing; what it could not tell it is asked again."""
        key = hashlib.sha256(repr(case).encode()).digest()
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        try:
            verdict = self._ask(case)
        except SekishoError:  # a document of a release that took it
            return None
        if verdict.answer != "unknown":
            self._answers[key] = verdict
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return verdict


@dataclass(slots=True)
class _Access:
    """What a principal can do, by how the statements that permit it show their conditions; `unknown`: or something more."""

    granted: dict[tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]], dict[str, None]]
    unknown: bool = False


class _Look:
    """One look at some resources."""

    def __init__(
        self,
        database: db.Database,
        sources: Sequence[Source],
        trusted: Trusted,
        ask: "Callable[[Case], Verdict | None]",
        longest: float,
    ) -> None:
        self._database, self._ask = database, ask
        self.sources, self.zone, self.rested_at = tuple(sources), trusted.hash, 0.0
        self._left = longest, PATIENCE
        self._until = 0.0, 0.0
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._records: dict[str, Record | None] = {}
        self._definitions: dict[str, ServiceDefinition | None] = {}
        self._alike: dict[object, _Access] = {}
        self._own: dict[int, bool] = {}
        self._kept: list[object] = []  # what is told apart by its identity stays
        self._paused_at = 0.0
        self._found: dict[str, list[Found]] = {source.id: [] for source in sources}
        self._is_whole = True
        self._steps = self._looking(sorted(trusted.accounts))

    def go_on(self, seconds: float) -> bool:
        """Look on for about so long; whether the look has come to an end."""
        begun = time.thread_time(), time.monotonic()
        self._until = begun[0] + self._left[0], begun[1] + self._left[1]
        self._paused_at = begun[0]
        for _ in self._steps:
            if time.monotonic() - begun[1] >= seconds:
                break
        else:
            return True
        self.rested_at = time.monotonic()
        self._left = self._until[0] - time.thread_time(), self._until[1] - self.rested_at
        self._records.clear()
        return False

    def told(self, source: Source) -> tuple[Found, ...]:
        """The findings of a resource, when the look is over."""
        found = self._found[source.id]
        return tuple(found if self._is_whole else [*found, unknown(INTERNAL)])

    def _looking(self, accounts: Sequence[str]) -> Iterator[None]:
        """The look, step by step: between them others may have their turn."""
        for account in accounts:
            if not (yield from self._at(account)):
                self._is_whole = False

    def _at(self, account: str) -> Generator[None, None, bool]:
        """Look at the principals of an account; whether the time sufficed."""
        for kind in ("user", "role"):
            after: str | None = None
            while after != "":
                if self._is_over():
                    return False
                with self._database.read() as session:
                    records, after = pages.load_page(session, account, kind, after or "", PAGE)
                    asked = list(self._asked(session, [one for one in records if isinstance(one, PrincipalRecord)]))
                for record, source, who, question in asked:
                    if self._is_over():
                        return False
                    access = (yield from self._access(who, source, question)) if question is not None else _Access({}, True)
                    self._keep(record, source, access, question)
                    self._pause()
                    yield
        return True

    def _asked(
        self, session: Session, records: Sequence[PrincipalRecord]
    ) -> Iterator[tuple[PrincipalRecord, Source, Acting | None, Question | None]]:
        """What is asked of each principal about each resource; nothing where it could not be put together."""
        if len(self._records) > MOST_RECORDS:
            self._records.clear()
        page = {record.id: record for record in records}

        def lookup(id_: str) -> Record | None:
            if id_ in page:
                return page[id_]
            if id_ not in self._records:
                self._records[id_] = loaders.load_record(session, id_, _sealed)
            return self._records[id_]

        for source in self.sources:
            self._define(session, source)
        for record in records:
            acts = SessionFacts(kind="assumed-role", name=SESSION) if record.kind == "role" else None
            try:
                who = world.acting(Subject(record.id, record.account_id, session=acts), lookup, self._now)
            except UnknownPrincipal:  # of an account that is not active, where nobody can do anything
                continue
            except SekishoError:
                yield from ((record, source, None, None) for source in self.sources)
                continue
            for source in self.sources:
                service = source.arn.split(":", 3)[2]
                # By the owner of the resource, to whom all is told that is registered of it, of whomever it asks.
                asked = world.Asked(f"{service}:Any", source.arn, source.owner, source.owner, tag_prefixes=("aws", service))
                try:
                    yield record, source, who, world.question(who, asked, lookup, self._now)
                except SekishoError:
                    yield record, source, who, None

    def _define(self, session: Session, source: Source) -> None:
        service = source.arn.split(":", 3)[2].lower()
        if source.id not in self._definitions:
            self._definitions[source.id] = load_definitions(session, source.owner, (service,)).get(service)

    def _access(self, who: Acting | None, source: Source, question: Question) -> Generator[None, None, _Access]:
        """What a principal can do with a resource, asked once of all who are alike."""
        request, layers = question
        key = self._alike_by(who, source, layers)
        found = self._alike.get(key) if key is not None else None
        if found is None:
            found = _Access({})
            for made in sessions(request, layers):
                yield from self._work_out(found, source, made, layers)
            if key is not None:
                self._alike[key] = found
                self._kept.append(layers)
        return found

    def _alike_by(self, who: Acting | None, source: Source, layers: policy.Layers) -> object:
        """By what principals are alike, as far as this resource goes; None of one who is like nobody."""
        levels = (*(layers.scps or ()), *(layers.rcps or ()))
        groups = (layers.identity, layers.boundary or (), *levels, (layers.resource,) if layers.resource is not None else ())
        if who is None or any(self._asks_who(one) for group in groups for one in group):
            return None
        principal = who.principal
        mark = (principal.kind, principal.account, layers.boundary is None, source.id)
        return (*mark, *(tuple(id(one.program) for one in group) for group in groups))

    def _asks_who(self, attached: policy.Attached) -> bool:
        found = self._own.get(id(attached))
        if found is None:
            found = self._own[id(attached)] = reads_principal(attached)
            self._kept.append(attached)
        return found

    def _work_out(self, access: _Access, source: Source, request: policy.Request, layers: policy.Layers) -> Iterator[None]:
        known: dict[object, Verdict | None] = {}  # by what is said about an action: of those about which the same is said one is asked
        for number, (told, action) in enumerate(actions(layers, source.arn, self._definitions[source.id])):
            if number == MOST_ACTIONS or self._is_over():
                access.unknown = True
                break
            self._pause()
            yield
            made = replace(request, action=action)
            decision = policy.decide(made, layers)
            if not decision.allowed:
                if not decision.error and outlook(made, layers) is Outlook.NEVER:
                    continue
                said = _said(layers, action)
                if said not in known:
                    known[said] = self._ask(case_of(made, layers))
                verdict = known[said]
                if verdict is not None and verdict.answer == "no":
                    continue
                if verdict is not None and verdict.witness is not None:
                    one = verdict.witness
                    decision = policy.decide(replace(made, principal=one.principal, context=policy.Context(one.context)), layers)
                if not decision.allowed:
                    access.unknown = True
                    continue
            written = [condition for match in decision.matched for condition in match.statement.conditions]
            shown = tuple(sorted(conditions.shown(written).items())), tuple(sorted(conditions.operators(written).items()))
            access.granted.setdefault(shown, {})[told] = None

    def _keep(self, record: PrincipalRecord, source: Source, access: _Access, question: Question | None) -> None:
        principal = {"AWS": record.arn}
        layers = question[1] if question is not None else policy.Layers()
        details = {
            "principal_type": "IAM_USER" if record.kind == "user" else "IAM_ROLE",
            "principal_owner_account": record.account_id,
            "access_type": "INTRA_ACCOUNT" if record.account_id == source.owner else "INTRA_ORG",
            "service_control_policy_restriction": "APPLIED" if layers.scps is not None else "NOT_APPLICABLE",
        }
        restriction = "APPLIED" if layers.rcps is not None else "NOT_APPLICABLE"
        for (condition, operators), told in access.granted.items():
            self._found[source.id].append(
                Found(
                    INTERNAL,
                    principal,
                    tuple(sorted(told)),
                    dict(condition),
                    operators=dict(operators),
                    restriction=restriction,
                    details=details,
                )
            )
        if access.unknown:
            self._found[source.id].append(replace(unknown(INTERNAL, principal), restriction=restriction, details=details))

    def _is_over(self) -> bool:
        return time.thread_time() >= self._until[0] or time.monotonic() >= self._until[1]

    def _pause(self) -> None:
        """Leave the interpreter to calls for half of the time."""
        took = time.thread_time() - self._paused_at
        if took > BURST:
            time.sleep(took)
            self._paused_at = time.thread_time()


def _said(layers: policy.Layers, action: str) -> object:
    """Which statements are about an action."""
    of_identity = (*layers.identity, *(layers.boundary or ()), *(one for level in layers.scps or () for one in level))
    of_resource = (*(one for level in layers.rcps or () for one in level), *((layers.resource,) if layers.resource is not None else ()))
    return tuple(
        tuple(rule.statement.index for rule in one.program.about(action, of_resource=side))
        for group, side in ((of_identity, False), (of_resource, True))
        for one in group
    )


def _sealed(*_: object) -> NoReturn:
    """No secret is needed here."""
    raise AssertionError("a credential was asked for")
