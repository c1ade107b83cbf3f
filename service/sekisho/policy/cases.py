"""Cases: one decision as a JSON object, with every policy in it; what `sekisho policy decide` reads, a case a line.

    {"id", "request": {"principal": ARN | service name | null, "principal_type", "action", "resource", "resource_account",
                       "context": {key: [values]}, "multivalued_keys": [keys]?},
     "identity_policies": [doc], "resource_policy": doc | null, "permission_boundary": [doc] | null, "session_policies": [doc] | null,
     "scps": [[doc] for each level] | null, "rcps": [[doc] for each level] | null}

null or nothing: none attached, so that the layer does not limit. Levels are root first. A value of the context may stand without its list.
The request may also say what an ARN does not: "role_arn", "unique_id", "provider", "canonical"; the provider of a federated principal is
its "principal" where nothing else is said. "expected", "notes" and their like are ignored.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sekisho import arn
from sekisho.errors import MalformedPolicyDocument, ValidationError
from sekisho.policy import document, keys
from sekisho.policy.compile import compile_policy
from sekisho.policy.layers import Attached, Decision, Layers, Request
from sekisho.policy.principals import SESSIONS, Principal

MAX_LINE = 4 * 1024 * 1024

KINDS = ("user", "root", "role", "assumed-role", "service-linked-role", "federated-user", "service", "anonymous", "federated")

_COMMENTS = frozenset(("source", "origin", "expected", "tags", "notes"))
_DETAILS = ("role_arn", "unique_id", "provider", "canonical")
_REQUEST = frozenset(("principal", "principal_type", "action", "resource", "resource_account", "context", "multivalued_keys", *_DETAILS))
_LAYERS = frozenset(("identity_policies", "resource_policy", "permission_boundary", "session_policies", "scps", "rcps"))
_T = TypeVar("_T")


class CaseError(ValidationError):
    """A case that cannot be read: which part is wrong; `id` is the case's own, empty where it has none."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.id = name


@dataclass(frozen=True, slots=True)
class Case:
    """A case, ready for `decide`."""

    id: str
    request: Request
    layers: Layers


def read(line: str) -> Case:
    """Read a case from one line of JSON, or raise CaseError."""
    if len(line) > MAX_LINE:
        raise CaseError(f"a case has {len(line)} characters; at most {MAX_LINE} are allowed")
    faults: list[str] = []  # told once the line is read to its end, and with it the case's id

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) != len(pairs):
            faults.append("a case has a key twice in one object")
        return members

    def no_constant(literal: str) -> None:
        faults.append(f"a case is not JSON: `{literal}` is no value")

    try:
        value = json.loads(line, object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise CaseError(f"a case is not JSON: {error}") from None
    if faults:
        raise CaseError(faults[0], _id(value))
    return from_json(value)


def from_json(value: object) -> Case:
    """The same from decoded JSON."""
    name = _id(value)
    try:
        return _case(value, name)
    except (ValidationError, MalformedPolicyDocument) as error:
        raise CaseError(f"case `{name[:64] or '?'}`: {error.message}", name) from None


def to_json(case: Case, decision: Decision) -> dict[str, str]:
    """The answer to a case: {"id", "decision"}."""
    return {"id": case.id, "decision": decision.outcome.value}


def _id(value: object) -> str:
    name = value.get("id") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _case(value: object, name: str) -> Case:
    members = _object(value, "a case")
    if endpoint := members.pop("endpoint_policies", None):
        raise ValidationError(f"`endpoint_policies` are not supported: {str(endpoint)[:64]}")
    _known(members, _COMMENTS | _LAYERS | {"id", "request"}, "a case")
    return Case(name, _request(_object(members.get("request"), "`request`")), _layers(members))


def _request(members: dict[str, object]) -> Request:
    _known(members, _REQUEST, "`request`")
    context = {
        name: _strings(values, f"`context` key `{name}`") for name, values in _object(members.get("context", {}), "`context`").items()
    }
    kind = _text(members, "principal_type")
    if kind not in KINDS:
        raise ValidationError(f"unknown principal_type `{kind[:64]}`; it is one of {', '.join(KINDS)}")
    named = _text(members, "principal") if members.get("principal") is not None else ""
    if bool(named) is (kind == "anonymous"):
        raise ValidationError("`principal` is null for an anonymous principal, and only for that")
    account = arn.account_of(named) if kind not in ("service", "anonymous", "federated") else ""
    if kind not in ("service", "anonymous", "federated") and not account:
        raise ValidationError(f"`principal` `{named[:128]}` is no ARN with an account")
    built = keys.context(context, _strings(members.get("multivalued_keys", []), "`multivalued_keys`"))
    said = built.get("aws:principalarn")
    known_role = said if kind in SESSIONS and isinstance(said, str) and ":role/" in said else ""
    principal = Principal(
        kind=kind,
        arn=named,
        account=account,
        role_arn=_optional(members, "role_arn") or known_role,
        unique_id=_optional(members, "unique_id"),
        provider=_optional(members, "provider") or (named if kind == "federated" else ""),
        canonical=_optional(members, "canonical"),
    )
    return Request(principal, _text(members, "action"), _text(members, "resource"), _optional(members, "resource_account") or None, built)


def _layers(members: dict[str, object]) -> Layers:
    resource = members.get("resource_policy")
    return Layers(
        identity=_policies(members.get("identity_policies") or [], "identity_policies"),
        resource=_policy(resource, "resource_policy") if resource is not None else None,
        boundary=_unless_null(members.get("permission_boundary"), lambda value: _policies(value, "permission_boundary")),
        session=_unless_null(members.get("session_policies"), lambda value: _policies(value, "session_policies")),
        scps=_unless_null(members.get("scps"), lambda value: _levels(value, "scps")),
        rcps=_unless_null(members.get("rcps"), lambda value: _levels(value, "rcps")),
    )


def _levels(value: object, where: str) -> tuple[tuple[Attached, ...], ...]:
    return tuple(_policies(level, f"{where}[{i}]") for i, level in enumerate(_list(value, where)))


def _policies(value: object, where: str) -> tuple[Attached, ...]:
    return tuple(_policy(item, f"{where}[{i}]") for i, item in enumerate(_list(value, where)))


def _policy(value: object, where: str) -> Attached:
    try:
        return Attached(compile_policy(document.from_json(value)), name=where)
    except MalformedPolicyDocument as error:
        raise ValidationError(f"`{where}`: {error.message}") from None


def _unless_null(value: object, read_: Callable[[object], _T]) -> _T | None:
    return None if value is None else read_(value)


def _object(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValidationError(f"{what} is no JSON object")
    return dict(value)


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise ValidationError(f"`{what}` is no JSON array")
    return value


def _strings(value: object, what: str) -> Sequence[str] | str:
    items = value if isinstance(value, list) else [value]
    texts = [str(item).lower() if isinstance(item, bool) else str(item) if isinstance(item, int | float) else item for item in items]
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) != len(texts):
        raise ValidationError(f"{what} holds something else than text, numbers and booleans")
    return strings


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise ValidationError(f"`{name}` is missing or no text")
    return value


def _optional(members: dict[str, object], name: str) -> str:
    return _text(members, name) if members.get(name) not in (None, "") else ""


def _known(members: dict[str, object], known: frozenset[str], what: str) -> None:
    for name in members:
        if name not in known:
            raise ValidationError(f"unknown member `{name[:64]}` of {what}")
