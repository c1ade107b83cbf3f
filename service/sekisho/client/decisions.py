"""Questions as Python writes them, and decisions with their reasons."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Required, TypedDict

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client.errors import Internal
from sekisho.policy import Layer, Outcome

Scalar = str | int | float | bool | Decimal | datetime
Value = Scalar | Iterable[Scalar]


class Question(TypedDict, total=False):
    """May this principal do this action on this resource, now?"""

    action: Required[str]
    resource: Required[str]
    principal: str | None
    """An ARN. Or one of the next two says who wants to act; without any, the caller itself."""
    bearer_token: str | None
    signed_request: pb.SignedRequest | None
    audience: str | None
    """What the bearer token was made for; without it, the server's own audience."""
    context: Mapping[str, Value] | None
    """Condition keys; a list, tuple or set is a key of many values, even with one."""
    resource_account: str | None
    resource_tags: Mapping[str, str] | None
    resource_policy: str | Mapping[str, Any] | None
    at_least: str | None
    """The revision of a write, which the answer must know of."""
    encode_authorization_message: bool
    """Whether a denial comes with its reasons, sealed for the principal's account."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A statement that determined a decision; `policy_arn` and `policy_version` of a managed policy, else `policy_name`."""

    layer: Layer | None
    policy_arn: str
    policy_version: str
    policy_name: str
    sid: str
    index: int

    def __str__(self) -> str:
        place = f"{self.policy_arn} {self.policy_version}".rstrip() or self.policy_name or "the resource's policy"
        return f"{place}, statement {f'`{self.sid}`' if self.sid else self.index + 1}"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its reasons; true only when it is an allow.

    A question of a batch that failed is an implicit deny with `error_code` and `error_message`.
    """

    outcome: Outcome
    layer: Layer | None = None
    matched: tuple[Matched, ...] = ()
    missing_keys: tuple[str, ...] = ()
    decision_id: str = ""
    revision: str = ""
    principal_arn: str = ""
    encoded_authorization_message: str = ""
    """The reasons of a denial, where they were asked for, as `sts:DecodeAuthorizationMessage` reads them."""
    error_code: str = ""
    error_message: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the principal may."""
        return self.outcome is Outcome.ALLOWED and not self.error_code

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and the way to it: AWS's sentence, a few lines for people, and every layer, policy and statement as JSON."""

    decision: Decision
    sentence: str
    text: str
    trace_json: str

    @property
    def allowed(self) -> bool:
        """Whether the principal may."""
        return self.decision.allowed

    @property
    def trace(self) -> Any:
        """The trace, decoded."""
        return json.loads(self.trace_json)

    def __bool__(self) -> bool:
        return self.allowed


def request(
    *,
    action: str,
    resource: str,
    principal: str | None = None,
    bearer_token: str | None = None,
    signed_request: pb.SignedRequest | None = None,
    audience: str | None = None,
    context: Mapping[str, Value] | None = None,
    resource_account: str | None = None,
    resource_tags: Mapping[str, str] | None = None,
    resource_policy: str | Mapping[str, Any] | None = None,
    at_least: str | None = None,
    encode_authorization_message: bool = False,
) -> pb.AuthorizeRequest:
    """The message of a question; TypeError when it says twice who wants to act."""
    if sum(subject is not None for subject in (principal, bearer_token, signed_request)) > 1:
        raise TypeError("give one of principal, bearer_token and signed_request")
    if audience is not None and bearer_token is None:
        raise TypeError("an audience is given with a bearer_token alone")
    if "" in (principal, bearer_token):
        # an empty string on the wire is a subject too, but a caller who sends one has lost a name: it must not become "the caller itself"
        raise ValueError("the principal and the bearer token are not empty")
    return pb.AuthorizeRequest(
        action=action,
        resource=resource,
        principal_arn=principal,
        bearer_token=bearer_token,
        signed_request=signed_request,
        audience=audience,
        context=[_entry(key, value) for key, value in (context or {}).items()],
        resource_account=resource_account,
        resource_tags=resource_tags,
        resource_policy=document(resource_policy) if isinstance(resource_policy, Mapping) else resource_policy,
        at_least=at_least,
        encode_authorization_message=encode_authorization_message,
    )


def document(policy: Mapping[str, Any]) -> str:
    """The text of a policy."""
    return json.dumps(policy)


def _entry(key: str, value: Value) -> pb.ContextEntry:
    found = values(value)
    return pb.ContextEntry(key=key, values=[found]) if isinstance(found, str) else pb.ContextEntry(key=key, values=found, multivalued=True)


def values(value: Value) -> str | tuple[str, ...]:
    """What a condition key has in the spelling of policies: a tuple where it is a key of many values, even with one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal | date):
        return _text(value)
    return tuple(_text(item) for item in value)


def _text(value: Scalar) -> str:
    """A value in the spelling of policies."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"the time {value} has no time zone")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float | Decimal):
        return f"{Decimal(str(value)):f}"  # never 1e-07, which is no number in a policy
    if isinstance(value, str | int):
        return str(value)
    raise TypeError(f"a condition key's value is a string, number, boolean or time, not {type(value).__name__}")


_OUTCOMES: dict[int, Outcome] = {
    pb.OUTCOME_ALLOWED: Outcome.ALLOWED,
    pb.OUTCOME_EXPLICITLY_DENIED: Outcome.EXPLICITLY_DENIED,
    pb.OUTCOME_IMPLICITLY_DENIED: Outcome.IMPLICITLY_DENIED,
}
_LAYERS: dict[int, Layer] = {number: Layer[name.removeprefix("LAYER_")] for name, number in pb.Layer.items() if number}


def decision(answer: pb.AuthorizeResponse) -> Decision:
    """A decision as the server gave it; one without an outcome is none."""
    if answer.outcome not in _OUTCOMES:
        raise Internal(f"the server's answer has the unknown outcome {answer.outcome}")
    return Decision(
        outcome=_OUTCOMES[answer.outcome],
        layer=_LAYERS.get(answer.layer),
        matched=tuple(Matched(_LAYERS.get(m.layer), m.policy_arn, m.policy_version, m.policy_name, m.sid, m.index) for m in answer.matched),
        missing_keys=tuple(answer.missing_keys),
        decision_id=answer.decision_id,
        revision=answer.revision,
        principal_arn=answer.principal_arn,
        encoded_authorization_message=answer.encoded_authorization_message,
    )


def item(answer: pb.BatchItem) -> Decision:
    """An answer of a batch; whatever is not a decision is a deny."""
    if answer.WhichOneof("item") == "decision":
        return decision(answer.decision)
    code = answer.error.code or Internal.__name__
    return Decision(Outcome.IMPLICITLY_DENIED, error_code=code, error_message=answer.error.message)


def explanation(answer: pb.ExplainResponse) -> Explanation:
    """An explanation as the server gave it."""
    return Explanation(decision(answer.decision), answer.sentence, answer.text, answer.trace_json)
