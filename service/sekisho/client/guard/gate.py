"""The gate itself: asks Sekisho, and takes nothing but an allow for an allow."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sekisho import policy
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import decisions, errors
from sekisho.client.client import Client
from sekisho.client.decisions import Decision, Question
from sekisho.client.guard import fields
from sekisho.client.guard.fields import Unreadable
from sekisho.client.guard.proofs import Proof
from sekisho.client.guard.refusals import Refused, denied, unauthenticated, unavailable
from sekisho.client.guard.requests import Peer
from sekisho.client.guard.rules import Bound, Rule, bind

log = logging.getLogger("sekisho.guard")
T = TypeVar("T")


class Verifies(Protocol):
    """Looks at tokens before Sekisho is asked: `issuers.Issuers`, which takes more than the base install."""

    def verify(self, token: str, audience: str, now: float) -> None:
        """Return if the token is good now (seconds of the epoch) for this audience; else Refused."""


_BATCH = 1000
_BATCH_BYTES = 1_000_000  # Sekisho takes 1 MiB, and what frames each question is not counted here
_BATCH_POLICIES = 256 * 1024  # characters of all that differ
_TRUSTED = 10.0
"""Seconds after an answer in which the service's own credentials are not suspected."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The end user: its proof, its connection, and how many seconds its call has left (None: it sets no deadline)."""

    proof: Proof
    peer: Peer
    seconds: Callable[[], float | None] = field(repr=False)


class Gate:
    """Asks for one service. `audience` is the service's own name, for which its callers make their tokens and signatures.

    It must not be the client's audience: such a token could be used at Sekisho itself, in its maker's name, by every service that it was
    shown to. `timeout` is in seconds and never longer than what is left of the incoming call; `account` is what `{account}` stands for,
    without it the account of the client. With `reveal`, denials name the kind of policy and the statements that decided. Tokens that are
    JWTs are verified by `issuers` before Sekisho is asked, where there are such.
    """

    def __init__(
        self,
        client: Client,
        *,
        audience: str,
        account: str | None = None,
        timeout: float | None = None,
        reveal: bool = False,
        issuers: Verifies | None = None,
    ) -> None:
        if not audience or audience == client.audience:
            raise ValueError("a guarded service has an audience of its own, other than that of Sekisho")
        self.audience = audience
        self._client, self._account, self._reveal, self._issuers = client, account, reveal, issuers
        self._timeout = client.timeout if timeout is None else timeout
        self._answered = -_TRUSTED

    def until(self, seconds: float | None) -> float:
        """The moment on the monotonic clock until which a call with these seconds left may be decided."""
        return time.monotonic() + (self._timeout if seconds is None else min(self._timeout, seconds))

    def ask(self, bound: Bound, request: Any, caller: Caller, until: float) -> "Passage":
        """Let a request pass that may, with the decision; Refused in every other case."""
        action = bound.rule.action
        token = caller.proof.bearer_token
        if self._issuers is not None and token is not None and token.count(".") == 2:  # a bearer token of Sekisho's own has no dot
            self._issuers.verify(token, caller.proof.audience, time.time())
        try:
            question = self._question(bound, request, caller, until)
            decision = self._client.authorize(**question, timeout=_left(until))
        except (Unreadable, TypeError, ValueError) as error:
            raise _unreadable(error, action) from None
        except errors.Error as error:
            raise self._refusal(error, action, until) from None
        self._answered = time.monotonic()
        if not decision.allowed:
            raise denied(self._sentence(question, decision), decision.decision_id)
        return Passage(self, bound, decision, question, caller)

    def again(self, passage: "Passage", request: Any) -> "Passage":
        """The passage of a stream's next message: the same while it asks the same, else what a new decision says."""
        until = self.until(passage.caller.seconds())
        try:
            same = self._question(passage.bound, request, passage.caller, until) == passage.question
        except (Unreadable, TypeError, ValueError) as error:
            raise _unreadable(error, passage.bound.rule.action) from None
        return passage if same else self.ask(passage.bound, request, passage.caller, until)

    def filter(self, passage: "Passage", items: Iterable[T], rule: Rule) -> list[T]:
        """The items that the caller may have, in their order; those that cannot be read or decided are left out."""
        until = self.until(passage.caller.seconds())
        bound, kept, asked = bind(rule, fields.of_item), [], []
        for item in items:
            try:
                question = self._question(bound, item, passage.caller, until)
                asked.append((item, decisions.request(**question | {"at_least": passage.decision.revision or None})))
            except (Unreadable, TypeError, ValueError) as error:
                log.warning("an item is left out of %s: %s", rule.action, error, exc_info=error.__cause__)
            except errors.Error as error:
                raise self._refusal(error, rule.action, until) from None
        for batch in _batches(asked):
            try:
                found = self._client.decide([request for _, request in batch], timeout=_left(until))
            except errors.Error as error:
                raise self._refusal(error, rule.action, until) from None
            kept += [item for (item, _), decision in zip(batch, found, strict=True) if decision.allowed]
        return kept

    def _question(self, bound: Bound, request: Any, caller: Caller, until: float) -> Question:
        if self._account is None and bound.rule.template.needs_account:
            self._account = self._client.sts.get_caller_identity(timeout=_left(until)).account
        question = bound.question(request, self._account or "")
        given = question.get("context") or {}
        known = {key.lower() for key in given}
        environment = {key: value for key, value in caller.peer.keys().items() if key.lower() not in known}
        question["context"] = {**environment, **given}
        question["bearer_token"], question["signed_request"] = caller.proof.bearer_token, caller.proof.signed_request
        if caller.proof.bearer_token is not None:
            question["audience"] = caller.proof.audience
        return question

    def _refusal(self, error: errors.Error, action: str, until: float) -> Refused:
        """What a question that was not decided means to the caller: that it is nobody whom Sekisho knows, that its request cannot be
        asked about, or that no decision can be had now.
        """
        if isinstance(error, errors.InvalidArgument) and error.answered:
            log.warning("%s is denied: the question was refused with %s", action, error)
            return denied("The request is not authorized: it holds a value that cannot be asked about.")
        known = isinstance(error, errors.Unauthenticated) or error.code == "UnknownPrincipal"
        if known and error.answered and self._are_ours_good(until):
            return unauthenticated(error.code, error.message)
        log.error("%s could not be decided: %s", action, error)
        return unavailable()

    def _are_ours_good(self, until: float) -> bool:
        """Whether Sekisho still takes the service's own signature; else it was that which did not hold, and not the end user's proof."""
        if time.monotonic() - self._answered < _TRUSTED:
            return True
        try:
            self._client.sts.get_caller_identity(timeout=_left(until))
        except errors.Error as error:
            log.error("the service's own credentials are not taken: %s", error)
            return False
        self._answered = time.monotonic()
        return True

    def _sentence(self, question: Question, decision: Decision) -> str:
        asked = policy.Request(
            principal=policy.Principal("user", decision.principal_arn, ""),
            action=question["action"],
            resource=question["resource"],
            resource_account=None,
            context=policy.context({}),
        )
        said = policy.sentence(asked, policy.Decision(decision.outcome, decision.layer if self._reveal else None))
        return f"{said} ({'; '.join(map(str, decision.matched))})" if self._reveal and decision.matched else said


@dataclass(frozen=True, slots=True)
class Passage:
    """A call that passed: the decision, and what further questions about the same caller need."""

    gate: Gate = field(repr=False)
    bound: Bound = field(repr=False)
    decision: Decision
    question: Question = field(repr=False)
    caller: Caller = field(repr=False)


PASSAGE: ContextVar[Passage] = ContextVar("sekisho.guard.passage")


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise errors.TimedOut("no time is left to decide")
    return left


def _unreadable(error: Exception, action: str) -> Refused:
    """A denial; only what the guard itself found wrong is said to the caller."""
    log.warning("%s is denied: %s", action, error, exc_info=error.__cause__ or (None if isinstance(error, Unreadable) else error))
    return denied(f"The request is not authorized: {error.message if isinstance(error, Unreadable) else 'it holds a value that is none'}.")


def _batches(asked: Sequence[tuple[T, pb.AuthorizeRequest]]) -> Iterator[Sequence[tuple[T, pb.AuthorizeRequest]]]:
    """As many at once as Sekisho takes: questions, bytes, and characters of policies that differ."""
    start = size = characters = 0
    policies: set[str] = set()
    for index, (_, request) in enumerate(asked):
        more = len(request.resource_policy) if request.resource_policy not in policies else 0
        size, characters = size + request.ByteSize(), characters + more
        if index > start and (size > _BATCH_BYTES or index - start == _BATCH or characters > _BATCH_POLICIES):
            yield asked[start:index]
            start, size, characters = index, request.ByteSize(), len(request.resource_policy)
            policies.clear()
        policies.add(request.resource_policy)
    if asked:
        yield asked[start:]
