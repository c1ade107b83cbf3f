"""Decides out of a replica what can be decided there, and leaves everything else to the server."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from sekisho import arn, policy, world
from sekisho.client import decisions, errors
from sekisho.client.client import Client
from sekisho.client.decisions import Decision, Matched, Question
from sekisho.client.local.follower import Follower
from sekisho.client.local.replica import Replica
from sekisho.errors import SekishoError
from sekisho.policy import validate
from sekisho.policy.shares import Shares
from sekisho.world import NO_KEYS, OF_SERVICE, AccountRecord, Acting, Asked, SessionFacts, Subject
from sekisho.world.revisions import Point, parse

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of the messages of a replica, at most; an account that has more is not followed."""

_ACTION, _RESOURCE, _POLICY, _ENTRIES, _KEY, _VALUES, _VALUE = (3, 192), (1, 2048), 20_480, 128, 256, 256, 8192
_PRINCIPALS = frozenset(("user", "role", "assumed-role", "root"))
_CLOCKED = frozenset(("aws:currenttime", "aws:epochtime", "aws:multifactorauthage"))
"""Condition keys whose values change though neither the question nor the world does."""


class _Elsewhere(Exception):  # noqa: N818  # says where the question is decided
    """The replica does not decide the question: why."""


class LocalAuthorizer:
    """Answers `authorize` as the client's server would, from a copy of the caller's account in this process; threads may share it.

    It takes authorize:GetSnapshot and authorize:WatchChanges beside what the questions take. What the copy cannot answer (proofs of others,
    questions that the server would refuse, principals that there are not) is asked of the server; so is everything while the copy is not
    there yet, and once the server has said nothing for `max_silence` seconds, or, with `otherwise="refuse"`, it is Unavailable. `patience`
    are the seconds that a question waits for the revision in its `at_least`.
    """

    def __init__(
        self,
        client: Client,
        *,
        max_silence: float = 15.0,
        otherwise: Literal["ask", "refuse"] = "ask",
        patience: float = 1.0,
        max_bytes: int = MAX_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if otherwise not in ("ask", "refuse"):
            raise ValueError(f"`{otherwise}` is neither ask nor refuse")
        self._client, self._max_silence, self._otherwise, self._patience = client, max_silence, otherwise, patience
        self._now, self._clock = now, clock
        self._follower = Follower(client._transport, heartbeat=max(1, min(60, int(max_silence / 3))), max_bytes=max_bytes)
        self._policies: Shares[policy.Attached] = Shares(1024 * 1024)
        self._name, self._numbers = secrets.token_hex(8), itertools.count()
        self._follower.start()

    def authorize(self, *, timeout: float | None = None, **question: Unpack[Question]) -> Decision:
        """Decides if a principal may do an action on a resource; raises Error when that could not be decided, which is not an allow."""
        if context := question.get("context"):
            question["context"] = _repeatable(context)
        try:
            return self._decided(**question)
        except _Elsewhere as why:
            if self._otherwise == "refuse":
                raise errors.Unavailable(f"not decided in this process: {why}") from None
            return self._client.authorize(timeout=timeout, **question)

    @property
    def revision(self) -> str:
        """The revision that is decided by, `""` while there is none."""
        replica = self._follower.replica
        return replica.token if replica is not None else ""

    @property
    def silence(self) -> float:
        """Seconds since the server still said, at the earliest, that there was nothing newer."""
        return self._clock() - self._follower.fresh_at

    @property
    def error(self) -> errors.Error | None:
        """What keeps the copy from being fresh; None while nothing does."""
        return self._follower.error

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait for the copy; False when it takes longer. Questions are answered meanwhile, too, by the server."""
        return self._follower.wait(seconds)

    def close(self) -> None:
        """Stop following; the client stays open."""
        self._follower.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _decided(
        self,
        *,
        action: str,
        resource: str,
        principal: str | None = None,
        bearer_token: str | None = None,
        signed_request: Any = None,
        audience: str | None = None,
        context: Mapping[str, decisions.Value] | None = None,
        resource_account: str | None = None,
        resource_tags: Mapping[str, str] | None = None,
        resource_policy: str | Mapping[str, Any] | None = None,
        at_least: str | None = None,
        encode_authorization_message: bool = False,
    ) -> Decision:
        if encode_authorization_message:
            raise _Elsewhere("reasons of a denial are sealed by the server")
        if bearer_token is not None or signed_request is not None or audience is not None:
            raise _Elsewhere("whose proof it is, only the server can tell")
        if principal == "":  # who sends one has lost a name: it must not become the caller itself
            raise _Elsewhere("the principal is empty")
        replica, moment = self._replica(at_least), self._now()
        now = moment.replace(microsecond=0)  # of which the clock's keys see nothing, and are made once a second
        _within("action", len(action), _ACTION)
        _within("resource", len(resource), _RESOURCE)
        given = _given(context) if context else NO_KEYS
        if resource_tags:
            names = {f"aws:resourcetag/{key.lower()}" for key in resource_tags}
            if len(names) != len(resource_tags) or names & given.keys():
                raise _Elsewhere("a tag of the resource is given twice")
        owner = resource_account or arn.account_of(resource)
        if owner and owner != replica.caller.account_id:
            raise _Elsewhere("what the organization of the resource's owner says is not here")
        if _is_registered(replica, resource):
            raise _Elsewhere("what is registered of the resource is not here")
        if "aws:sourceaccount" in given:
            raise _Elsewhere("the organization of the source account is not here")
        try:
            _refuse_expired(replica, moment)
            caller = replica.acting_of("", lambda: world.acting(replica.caller, replica.get_record, now))
            _demand(replica, caller, "authorize:Authorize", "*", now)
            who = caller if principal is None else _principal(replica, caller, principal, now)
            asked = Asked(
                action=action,
                resource=resource,
                account=replica.caller.account_id,
                resource_account=owner,
                resource_policy=self._resource_policy(replica, resource_policy),
                tags=resource_tags or {},
                environment=OF_SERVICE,
                given=given,
            )
            request, layers = world.question(who, asked, replica.get_record, now)
            return self._said(request, policy.decide(request, layers), replica)
        except SekishoError as error:
            raise _Elsewhere(error.message) from None

    def _replica(self, at_least: str | None) -> Replica:
        """The replica to decide by: not silent for too long, and not older than the question allows."""
        follower = self._follower
        wanted = self._awaited(at_least) if at_least else None
        fresh_at, replica = follower.fresh_at, follower.replica  # in this order, so that none is taken for fresher than it is
        if replica is None:
            raise _Elsewhere(f"the account is not here: {follower.error or 'it is still loaded'}")
        if wanted is not None and (replica.point.number < wanted.number or not replica.history.has(wanted)):
            raise _Elsewhere("the revision in `at_least` is not here")
        silent = self._clock() - fresh_at
        if silent > self._max_silence:
            raise _Elsewhere(f"the server has said nothing for {silent:.1f} seconds")
        return replica

    def _awaited(self, at_least: str) -> Point:
        """The point of a revision, after the replica has reached it or is there no more, or the patience has ended."""
        try:
            wanted = parse(at_least)
        except SekishoError as error:
            raise _Elsewhere(error.message) from None
        self._follower.reach(self._patience, wanted.number)
        return wanted

    def _resource_policy(self, replica: Replica, given: str | Mapping[str, Any] | None) -> policy.Attached | None:
        text = decisions.document(given) if isinstance(given, Mapping) else given
        if not text:
            return None
        if len(text) > _POLICY:
            raise _Elsewhere("the resource's policy is too long")
        return self._policies.get(replica.caller.account_id, text, _compiled)

    def _said(self, request: policy.Request, decision: policy.Decision, replica: Replica) -> Decision:
        return Decision(
            outcome=decision.outcome,
            layer=decision.layer,
            matched=tuple(map(_matched, decision.matched)) if decision.matched else (),
            missing_keys=decision.missing_keys,
            decision_id=f"local-{self._name}-{next(self._numbers)}",
            revision=replica.token,
            principal_arn=request.principal.arn,
        )


def _is_registered(replica: Replica, resource: str) -> bool:
    """True where something may be registered of a resource: its account registers its service, or is another, of which nothing is known."""
    segments = resource.split(":", 5)
    if len(segments) < 6:
        return False
    account = replica.get_record(replica.caller.account_id)
    if segments[4] not in ("", replica.caller.account_id) or not isinstance(account, AccountRecord):
        return True
    return segments[2] in account.registers


def _repeatable(context: Mapping[str, decisions.Value]) -> Mapping[str, decisions.Value]:
    """A context that can be read twice, here and for the server: of a generator nothing would be left, which a condition may well allow."""
    if not any(isinstance(value, Iterator) for value in context.values()):
        return context
    return {name: tuple(value) if isinstance(value, Iterator) else value for name, value in context.items()}


def _within(what: str, size: int, limits: tuple[int, int]) -> None:
    if not limits[0] <= size <= limits[1]:
        raise _Elsewhere(f"the {what} has {size} characters")


def _given(context: Mapping[str, decisions.Value]) -> world.Keys:
    """The keys of a context as the server reads them."""
    given: dict[str, str | tuple[str, ...]] = {}
    for name, value in context.items():
        key = name.lower()
        values = decisions.values(value)
        if not 1 <= len(name) <= _KEY or key in given or world.is_reserved(key):
            raise _Elsewhere(f"the condition key `{name}` cannot be given")
        if isinstance(values, tuple) and len(values) > _VALUES:
            raise _Elsewhere(f"the condition key `{name}` has {len(values)} values")
        if any(len(one) > _VALUE for one in (values if isinstance(values, tuple) else (values,))):
            raise _Elsewhere(f"the condition key `{name}` has a value that is too long")
        given[key] = values
    if len(given) > _ENTRIES:
        raise _Elsewhere(f"the context has {len(given)} keys")
    return given


def _refuse_expired(replica: Replica, now: datetime) -> None:
    session = replica.caller.session
    if session is not None and session.expires_at is not None and session.expires_at <= now:
        raise _Elsewhere("the caller's session has expired")


def _demand(replica: Replica, caller: Acting, action: str, resource: str, now: datetime) -> None:
    """Leave it to the server to refuse a caller who is not permitted to ask."""
    allowed = replica.permitted.get((action, resource))
    if allowed is None:
        allowed = _decide(replica, caller, action, resource, now).allowed
        if not _reads_a_clock(caller):
            if len(replica.permitted) >= 4096:
                replica.permitted.clear()
            replica.permitted[action, resource] = allowed
    if not allowed:
        raise _Elsewhere(f"the caller is not permitted {action} on {resource}")


def _decide(replica: Replica, caller: Acting, action: str, resource: str, now: datetime) -> policy.Decision:
    asked = Asked(
        action=action,
        resource=resource,
        account=replica.caller.account_id,
        tag_prefixes=("aws", "authorize"),
        environment=replica.connection,
    )
    return policy.decide(*world.question(caller, asked, replica.get_record, now))


def _reads_a_clock(caller: Acting) -> bool:
    rcps = (caller.placement.rcps if caller.placement is not None else None) or ()
    layers = (caller.identity, caller.boundary or (), caller.session or (), *(caller.scps or ()), *rcps)
    return any(not _CLOCKED.isdisjoint(attached.program.keys) for layer in layers for attached in layer)


def _principal(replica: Replica, caller: Acting, name: str, now: datetime) -> Acting:
    """A principal that the caller vouches for, if it is permitted to."""
    found = replica.acting.get(name)
    if found is None and (account := arn.parse(name).account) != replica.caller.account_id:
        raise _Elsewhere(f"account {account} has not consented")
    _demand(replica, caller, "authorize:AssertPrincipal", name, now)
    return found if found is not None else replica.acting_of(name, lambda: _composed(replica, caller, name, now))


def _composed(replica: Replica, caller: Acting, name: str, now: datetime) -> Acting:
    named = arn.entity(name)
    if named is None or named.kind not in _PRINCIPALS:
        raise _Elsewhere("the principal has not the ARN of one")
    if named.kind == "root":
        return world.acting(Subject(named.account, named.account), replica.get_record, now)
    record = replica.get_principal(named)
    if record is None:
        raise _Elsewhere("there is no such principal")
    if named.kind != "assumed-role":
        return world.acting(Subject(record.id, named.account), replica.get_record, now)
    if not arn.is_session_name(named.name):
        raise _Elsewhere("no role session has such a name")
    denied = _decide(replica, caller, "authorize:AssertPrincipal", record.arn, now).outcome is policy.Outcome.EXPLICITLY_DENIED
    if denied or _reads_a_clock(caller):  # which a composition that is kept must not depend on
        raise _Elsewhere("whether the caller may assert the session's role, the server decides")
    session = SessionFacts(kind="assumed-role", name=named.name)
    return world.acting(Subject(record.id, named.account, session=session), replica.get_record, now)


def _compiled(text: str) -> policy.Attached:
    made = validate.check(text, validate.Kind.RESOURCE)
    return policy.Attached(policy.compile_policy(made, text=text), name="resource policy")


def _matched(match: policy.Match) -> Matched:
    attached, statement = match.attached, match.statement
    return Matched(match.layer, attached.arn, attached.version, attached.name, statement.sid or "", statement.index)
