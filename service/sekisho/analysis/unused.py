"""What was not used for so many days: users, roles, passwords, access keys and permissions, each with what would remove exactly it. Pure.

Who or what is younger than the window is left out: it had no time to be used. Of a permission every use counts, also one that was denied,
and a policy that several have is measured by the uses of all of them together. Only Allow statements permit something; Denies stay as
they are.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html, "Unused access"
"""

import enum
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sekisho import policy
from sekisho.policy import patterns


class Kind(enum.StrEnum):
    """The kinds of what is not used."""

    USER = "user"
    ROLE = "role"
    ACCESS_KEY = "access-key"
    PASSWORD = "password"  # noqa: S105  # the word, not one
    PERMISSION = "permission"


class Step(enum.StrEnum):
    """What removes it. Names are those of IAM's actions."""

    DELETE_USER = "DeleteUser"
    DELETE_ROLE = "DeleteRole"
    DELETE_ACCESS_KEY = "DeleteAccessKey"
    DELETE_LOGIN_PROFILE = "DeleteLoginProfile"
    REPLACE_POLICY = "ReplacePolicy"
    DETACH_POLICY = "DetachPolicy"


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key or, without an id, a password; `last_used_at` is None while it was never used."""

    id: str
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A user or role with its credentials. `last_used_at` is the last time that a role's session was used."""

    id: str
    arn: str
    kind: Kind  # USER or ROLE
    created_at: datetime
    last_used_at: datetime | None = None
    keys: tuple[Credential, ...] = ()
    password: Credential | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """A policy with all who have it, by their ids. `arn` is a managed policy's, or that of whose inline policy it is; `since` is when the
    youngest of text and attachments that are known began."""

    arn: str
    name: str
    document: str
    holders: frozenset[str]
    since: datetime | None = None


Uses = Mapping[str, Mapping[str, datetime]]
"""By a holder's id: the last time that it asked for each action, `orders:Ship`."""


@dataclass(frozen=True, slots=True)
class Unused:
    """Something that was not used. `since` is its last use or, if it had none, its beginning; `days` the whole days from there.

    Of permissions: `actions` are the patterns of which nothing was used, `narrowed` those that were used in part, and `document` is the
    policy without what was not used, empty where nothing is left.
    """

    kind: Kind
    arn: str
    name: str
    since: datetime | None
    days: int
    step: Step
    actions: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()
    document: str = ""


class Narrowed(NamedTuple):
    """A document without what was not used, empty where it allows nothing any more; and the patterns that were not used, or in part."""

    document: str
    unused: tuple[str, ...]
    partly: tuple[str, ...]

    @property
    def is_less(self) -> bool:
        """True when anything was taken away."""
        return bool(self.unused or self.partly)


def find(holders: Iterable[Holder], granted: Iterable[Granted], uses: Uses, *, now: datetime, days: int) -> tuple[Unused, ...]:
    """All that was not used for `days` days, holders first, in the order in which they are given."""
    begins = now - timedelta(days=days)
    found = [one for holder in holders for one in _of_holder(holder, uses.get(holder.id, {}), begins, now)]
    for one in granted:
        if one.since is not None and one.since > begins:
            continue
        used = {action for id_ in one.holders for action, at in uses.get(id_, {}).items() if at >= begins}
        left = narrowed(one.document, used)
        if left.is_less:
            step = Step.REPLACE_POLICY if left.document else Step.DETACH_POLICY
            found.append(Unused(Kind.PERMISSION, one.arn, one.name, None, days, step, left.unused, left.partly, left.document))
    return tuple(found)


def _of_holder(holder: Holder, uses: Mapping[str, datetime], begins: datetime, now: datetime) -> Iterator[Unused]:
    credentials = (*holder.keys, *((holder.password,) if holder.password is not None else ()))
    times = [at for at in (holder.last_used_at, *(one.last_used_at for one in credentials), *uses.values()) if at is not None]
    last = max(times, default=None)
    if holder.created_at <= begins and (last is None or last < begins):
        step = Step.DELETE_USER if holder.kind is Kind.USER else Step.DELETE_ROLE
        yield _made(holder.kind, holder.arn, "", last or holder.created_at, now, step)
        return  # with whom all that it has goes
    for kind, step, one in (
        *((Kind.ACCESS_KEY, Step.DELETE_ACCESS_KEY, key) for key in holder.keys),
        *(((Kind.PASSWORD, Step.DELETE_LOGIN_PROFILE, holder.password),) if holder.password is not None else ()),
    ):
        if one.created_at <= begins and (one.last_used_at is None or one.last_used_at < begins):
            yield _made(kind, holder.arn, one.id, one.last_used_at or one.created_at, now, step)


def _made(kind: Kind, arn: str, name: str, since: datetime, now: datetime, step: Step) -> Unused:
    return Unused(kind, arn, name, since, (now - since).days, step)


def narrowed(document: str, used: Collection[str]) -> Narrowed:
    """The document without what was not used of it: in each Allow, a pattern gives way to the actions that were used of it.

    `used` are actions in any spelling. Whoever has the policy is permitted what was used as before, and nothing that was not.
    MalformedPolicyDocument for what is no policy.
    """
    policy.parse(document)
    content: dict[str, Any] = json.loads(document)
    written = content["Statement"]
    kept: list[Any] = []
    unused: list[str] = []
    partly: list[str] = []
    for statement in written if isinstance(written, list) else [written]:
        if statement["Effect"] != "Allow":
            kept.append(statement)
            continue
        actions, gone, less = _actions(statement, sorted(used))
        unused += gone
        partly += less
        if actions:
            rest = {name: value for name, value in statement.items() if name not in ("Action", "NotAction")}
            kept.append({**rest, "Action": actions})
    if not unused and not partly:
        return Narrowed(document, (), ())
    left = json.dumps({**content, "Statement": kept}, indent=2) if kept else ""
    return Narrowed(left, tuple(dict.fromkeys(unused)), tuple(dict.fromkeys(partly)))


def _actions(statement: Mapping[str, Any], used: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The actions that an Allow keeps, the patterns that were not used, and those that were used in part."""
    if "NotAction" in statement:
        spared = _listed(statement["NotAction"])
        named = [action for action in used if not any(_covers(pattern, action) for pattern in spared)]
        said = [f"all but {', '.join(spared)}"]
        return named, ([] if named else said), (said if named else [])
    kept: list[str] = []
    unused: list[str] = []
    partly: list[str] = []
    for pattern in _listed(statement["Action"]):
        named = [action for action in used if _covers(pattern, action)]
        if not named:
            unused.append(pattern)
        elif "*" in pattern or "?" in pattern:
            partly.append(pattern)
            kept += named
        else:
            kept.append(pattern)
    return list(dict.fromkeys(kept)), unused, partly


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _covers(pattern: str, action: str) -> bool:
    """Whether an action pattern means an action; a star never crosses the colon, and one alone means every action."""
    pattern, action = pattern.lower(), action.lower()
    if not pattern.strip("*"):
        return True
    before, colon, after = pattern.partition(":")
    service, _, name = action.partition(":")
    return bool(colon) and _matches(before, service) and _matches(after, name)


def _matches(pattern: str, text: str) -> bool:
    return patterns.matcher(patterns.tokens(pattern))(text)
