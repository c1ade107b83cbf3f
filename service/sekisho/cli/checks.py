"""`sekisho policy validate` and `sekisho policy test`: what a team runs on its policies before anybody serves them."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from rich.console import Console

    from sekisho import policy
    from sekisho.cli.expectations import Expectation, Suite

KINDS = "identity, managed, trust, resource, session, scp or rcp"
STYLES = {"ERROR": "bold red", "SECURITY_WARNING": "bold yellow", "WARNING": "yellow", "SUGGESTION": "cyan"}


@connection.asking
def validate(
    places: Annotated[list[Path], typer.Argument(help="Policies, as JSON, and folders of them; of a folder with account.yaml, its own.")],
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"What they are to be: {KINDS}. Without it `managed`; in a folder, as account.yaml has it, and `trust` in trust/."
        ),
    ] = None,
    define: Annotated[list[str] | None, typer.Option(help="WORD=VALUE for a word that stands for something, such as ACCOUNT_ID.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for each finding.")] = False,
    services: Annotated[
        list[Path] | None,
        typer.Option("--services", help="Definitions of services, or folders of them: what these do not have is a warning."),
    ] = None,
    catalog: Annotated[bool, typer.Option("--catalog", help="Ask a server for the definitions that the account has.")] = False,
    *,
    at: Asked,
) -> None:
    """Say what is wrong with policies, or could be better, and where. Exit code 1 when there is an error."""
    from sekisho.cli import documents, service
    from sekisho.cli.directory import definitions
    from sekisho.policy.validate import Kind, findings

    given = definitions(define)
    if kind is not None and kind not in {known.value for known in Kind}:
        raise typer.BadParameter(f"`{kind}` is none of {KINDS}", param_hint="--kind")
    known = dict(service.of_files(services)) if services else {}
    if catalog:
        with connection.connect(at) as (client, _):
            known = {**service.of_catalog(client.catalog), **known}
    out = screen.console()
    counts: Counter[str] = Counter()
    listed = documents.listed(places, given, Kind(kind) if kind is not None else None)
    for file, what, words in screen.tracked(listed, "validating"):
        original = documents.read(file)
        for finding in findings(words.fill(original), what, known):
            counts[finding.severity.value] += 1
            column = words.column(original, finding.line, finding.column)
            if as_json:
                print(json.dumps({"file": str(file), **asdict(finding), "column": column}))
                continue
            out.print(f"{file}:{finding.line}:{column}: ", end="", markup=False)
            out.print(finding.severity.value, style=STYLES[finding.severity.value], end=" ")
            out.print(f"{finding.issue}: {finding.message}", markup=False)
    if not as_json:
        out.print(", ".join(f"{counts[severity]} {severity}" for severity in STYLES if counts[severity]) or "nothing to say")
    raise typer.Exit(1 if counts["ERROR"] else 0)


def ask(
    places: Annotated[list[Path], typer.Argument(help="Files of questions, or folders that have files named ….test.yaml.")],
    coverage: Annotated[bool, typer.Option("--coverage", help="Say which statements no question matched.")] = False,
    junit: Annotated[Path | None, typer.Option(help="A file for the results as JUnit XML.")] = None,
) -> None:
    """Ask a team's questions of its own policies, without a server. Exit code 1 when an answer is another than expected."""
    from sekisho.cli import expectations
    from sekisho.cli import junit as xml

    out = screen.console()
    now = datetime.now(UTC)
    covered, results = Coverage(), dict[str, list[tuple[str, str, str]]]()
    for path in expectations.files(places):
        suite = expectations.read(path, now)
        out.print(path, markup=False, style="bold")
        answers = [(asked, _failure(asked, covered, suite)) for asked in screen.tracked(suite.questions, "asking")]
        results[str(path)] = [(asked.story, asked.place, failure) for asked, failure in answers]
        for asked, failure in answers:
            out.print("  ✘" if failure else "  ✔", style="red" if failure else "green", end=" ")
            out.print(f"{asked.place}: {asked.story}\n{failure}" if failure else asked.story, markup=False)
    failures = [failure for cases in results.values() for _, _, failure in cases]
    out.print(f"{failures.count('')} as expected, {len(failures) - failures.count('')} not")
    if coverage:
        covered.show(out)
    if junit is not None:
        xml.write(junit, results)
    raise typer.Exit(1 if any(failures) else 0)


def _failure(asked: "Expectation", covered: "Coverage", suite: "Suite") -> str:
    """What is not as expected with a question and what would change it, `""` when all is; counts the statements that matched."""
    from sekisho import policy

    decision = policy.decide(asked.request, asked.layers)
    trace = policy.trace(asked.request, asked.layers, decision)
    covered.add(suite, trace)
    difference = asked.difference(decision)
    return "\n".join(f"      {line}" for line in (difference, *trace["what_would_allow"])) if difference else ""


@dataclass(slots=True)
class Coverage:
    """Which statements any question matched, by the file that they stand in."""

    policies: "dict[Path, policy.Program]" = field(default_factory=dict)
    matched: set[tuple[Path, int]] = field(default_factory=set)

    def add(self, suite: "Suite", trace: dict[str, Any]) -> None:
        """Count the statements of a trace that matched."""
        self.policies |= suite.policies
        for one in (one for layer in trace["layers"] for one in layer["policies"]):
            path = suite.sources[one["arn"] or one["name"]]
            self.matched |= {(path, statement["index"]) for statement in one["statements"] if statement["matched"]}

    def show(self, out: "Console") -> None:
        """Say how many statements matched, and which did not and where they stand."""
        statements = [(path, statement) for path in sorted(self.policies) for statement in self.policies[path].policy.statements]
        missed = [(path, statement) for path, statement in statements if (path, statement.index) not in self.matched]
        out.print(f"{len(statements) - len(missed)} of {len(statements)} statements matched")
        for path, statement in missed:
            name = f"`{statement.sid}`" if statement.sid else statement.index + 1
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            out.print(f"  {shown}:{statement.line}: no question matches statement {name}", markup=False)
