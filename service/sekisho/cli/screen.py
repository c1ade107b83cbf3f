"""What people see: decisions in words and colours, and a bar for what takes over a second. Programs that read the output get neither."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from sekisho.client import Decision, Matched

T = TypeVar("T")
PATIENCE = 1.0
"""Seconds before a bar appears."""


def console() -> "Console":
    """Standard output, with colours where it is a terminal; lines are never broken for other readers."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def tracked(items: Sequence[T], what: str) -> Iterator[T]:
    """The items, with a bar on standard error when they take over a second and somebody is looking."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=len(items), visible=False)
        for item in items:
            progress.update(task, visible=time.monotonic() - started > PATIENCE)
            yield item
            progress.advance(task)


@contextmanager
def progress(what: str) -> "Iterator[Callable[[int, int], None]]":
    """A bar on standard error while somebody is looking; it is told how many are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on standard error what is waited for, when it takes over a second and somebody is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(what)
    begin = threading.Timer(PATIENCE, status.start)
    begin.start()
    try:
        yield
    finally:
        begin.cancel()
        begin.join()  # it may be just beginning
        status.stop()


def verdict(decision: "Decision") -> "Text":
    """The answer in a word or two."""
    from rich.text import Text

    from sekisho.client import Outcome

    words = {
        Outcome.ALLOWED: ("✔ allowed", "bold green"),
        Outcome.EXPLICITLY_DENIED: ("✘ denied", "bold red"),
        Outcome.IMPLICITLY_DENIED: ("✘ not allowed", "bold yellow"),
    }
    return Text(*words[decision.outcome])


def reason(decision: "Decision", *, short: bool = False) -> str:
    """Why, in one line: the statements that decided, or what was missing. The short form names policies without their ARNs."""
    if decision.error_code:
        return f"{decision.error_code}: {decision.error_message}"
    if decision.matched:
        statements = "; ".join(_statement(match, short=short) for match in decision.matched)
        return f"{statements} {'allows' if decision.allowed else 'denies'} it"
    return _LAYERS[decision.layer][1] if decision.layer is not None else "no policy allows it"


def judgements(trace: Mapping[str, Any]) -> Iterator[str]:
    """How every policy was judged, statement by statement, from the trace of an explanation."""
    if trace.get("error"):
        return
    layers = trace["layers"]
    if not any(layer["layer"] == "identity" for layer in layers):
        yield "no identity policy is attached to the principal, or to a group of it"
    for layer in layers:
        level = f", level {layer['level'] + 1}" if layer["level"] else ""
        yield f"{_LAYERS[layer['layer']][0]}{level}:"
        for policy in layer["policies"]:
            yield f"  {' '.join(filter(None, (policy['arn'] or policy['name'], policy['version'])))}"
            for statement in policy["statements"]:
                name = f"`{statement['sid']}`" if statement["sid"] else statement["index"] + 1
                effect = statement["effect"].lower()
                judged = f"{effect} matches" if statement["matched"] else f"{effect} does not apply: {'; '.join(statement['why_not'])}"
                yield f"    statement {name} {judged}"
    if trace["truncated"]:
        yield "  … and more than can be shown"


def _statement(match: "Matched", *, short: bool) -> str:
    place = match.policy_name or match.policy_arn.rpartition("/")[2] if short else str(match)
    statement = f", statement {f'`{match.sid}`' if match.sid else match.index + 1}" if short else ""
    return f"{_LAYERS[match.layer][0] if match.layer is not None else 'policy'} {place}{statement}"


_LAYERS = {
    "rcp": ("resource control policy", "no resource control policy allows it"),
    "scp": ("service control policy", "the service control policies do not allow it"),
    "resource": ("resource policy", "the resource policy does not allow it"),
    "trust": ("trust policy", "the trust policy does not allow it"),
    "identity": ("identity policy", "no identity policy allows it"),
    "boundary": ("permissions boundary", "the permissions boundary does not allow it"),
    "session": ("session policy", "the session policies do not allow it"),
}
"""What a layer is called, and what is said when it is silent."""
