"""`sekisho policy`: the policy language, without a server."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from sekisho.cli import access_checks, checks

if TYPE_CHECKING:
    from sekisho.policy import Decision

app = typer.Typer(name="policy", no_args_is_help=True, rich_markup_mode=None, help="The policy language, without a server.")


app.command()(checks.validate)
app.command("test")(checks.ask)
app.command()(access_checks.diff)
app.command()(access_checks.check)


@app.callback()
def policy() -> None:
    """The policy language, without a server."""


@app.command()
def decide(
    explain: Annotated[bool, typer.Option("--explain", help="Add layer, statements and missing keys to each answer.")] = False,
) -> None:
    """Read cases as JSON lines from standard input, write {"id", "decision"} lines.

    A case has a request and every policy that applies to it. Exit code 1 when a line was no case; its answer has an "error" instead.
    """
    from sekisho import policy
    from sekisho.policy import cases

    failed = False
    for number, line in _lines(sys.stdin.buffer):
        try:
            case = cases.read(line)
        except cases.CaseError as error:
            failed = True
            print(f"sekisho: line {number}: {error.message}", file=sys.stderr)
            print(json.dumps({**({"id": error.id} if error.id else {}), "line": number, "error": error.message}))
            continue
        decision = policy.decide(case.request, case.layers)
        answer: dict[str, object] = dict(cases.to_json(case, decision))
        if explain:
            answer |= _reasons(decision)
        print(json.dumps(answer))
    raise typer.Exit(1 if failed else 0)


@app.command()
def explain(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole trace of each case as a JSON line.")] = False,
) -> None:
    """Read cases as `decide` does and say why each comes out as it does, and what would change it."""
    from sekisho import policy
    from sekisho.policy import cases

    for _, line in _lines(sys.stdin.buffer):
        case = cases.read(line)
        decision = policy.decide(case.request, case.layers)
        if as_json:
            print(json.dumps({"id": case.id, **policy.trace(case.request, case.layers, decision)}))
        else:
            print(f"{case.id}: {policy.short(case.request, case.layers, decision)}")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, numbered from 1; bytes that are no UTF-8 are refused where they stand in a string."""
    for number, line in enumerate(stream, 1):
        if text := line.decode(errors="surrogateescape").strip():
            yield number, text


def _reasons(decision: "Decision") -> dict[str, object]:
    matched = [(match.layer.value, match.attached.name, match.statement) for match in decision.matched]
    return {
        "layer": decision.layer.value if decision.layer is not None else None,
        "matched": [{"layer": layer, "policy": name, "sid": statement.sid, "index": statement.index} for layer, name, statement in matched],
        "missing_keys": list(decision.missing_keys),
    }
