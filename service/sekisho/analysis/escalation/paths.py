"""What an analysis finds: hops, the paths that they make, and who needs none."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sekisho.analysis.escalation.asking import Grant
from sekisho.analysis.escalation.rules import Rule


@dataclass(frozen=True, slots=True)
class Hop:
    """One method, used once. `by` is the principal that uses it, `on` what it is used on, `becomes` the principal that it acts as
    afterwards: another one, or itself with other permissions. `grants` permit it; `change` says what is different afterwards; `presumes`
    what nobody here can know.
    """

    rule: Rule
    by: str
    on: str
    becomes: str
    grants: tuple[Grant, ...]
    change: str = ""
    presumes: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """The shortest way of a principal to what is looked for; its last hop arrives there."""

    source: str
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in an account: the principals that are administrators, and a path for each other that can become one, the shortest
    paths first. `goal` is the ARN of another principal, when that is what was looked for. `principals` were looked at, with `decisions`
    questions to the evaluator.
    """

    account_id: str
    administrators: tuple[str, ...]
    paths: tuple[Path, ...]
    principals: int
    decisions: int
    goal: str = ""
    left_out: Sequence[str] = field(default=())
    """In words: of whom there was too much to look at all of it."""
