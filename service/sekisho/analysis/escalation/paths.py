"""What an analysis finds: hops, the paths that they make, and who needs none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sekisho.analysis.escalation.asking import Grant
from sekisho.analysis.escalation.rules import Rule


@dataclass(frozen=True, slots=True)
class Hop:
    """One method, used once. `by` is the principal that uses it, `on` what it is used on, `becomes` the principal that it acts as
    afterwards: another one, or itself with other permissions. A role that acts in a session of a certain name is that session's ARN, and a
    role's ARN is whatever session. `grants` permit it; `change` says what is different afterwards; `presumes` what nobody here can know.
    """

    rule: Rule
    by: str
    on: str
    becomes: str
    grants: tuple[Grant, ...]
    change: str = ""
    presumes: str = ""


def chained(hops: Iterable[Hop]) -> tuple[Hop, ...]:
    """The hops, each by the principal that the one before became: in the session of that name, where it took one."""
    made: list[Hop] = []
    for hop in hops:
        by = made[-1].becomes if made else hop.by
        made.append(replace(hop, by=by, becomes=by if hop.becomes == hop.by else hop.becomes))
    return tuple(made)


def begun(hops: Sequence[Hop], session: str) -> tuple[Hop, ...]:
    """The hops of a role that has to act in a session of a name, which nobody knows who begins with the role."""
    said = f"its session is named {session}"
    return (replace(hops[0], presumes=f"{said} and {hops[0].presumes}" if hops[0].presumes else said), *hops[1:])


@dataclass(frozen=True, slots=True)
class Path:
    """The shortest way of a principal to what is looked for; its last hop arrives there."""

    source: str
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in an account: the principals that are administrators (also a role's session that is one while others are not), and a
    path for each other that can become one, the shortest paths first. `goal` is the ARN of another principal, when that is what was looked
    for. `principals` were looked at, with `decisions` questions to the evaluator.
    """

    account_id: str
    administrators: tuple[str, ...]
    paths: tuple[Path, ...]
    principals: int
    decisions: int
    goal: str = ""
    left_out: Sequence[str] = field(default=())
    """In words: of whom there was too much to look at all of it."""
