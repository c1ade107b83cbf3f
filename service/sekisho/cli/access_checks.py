"""`sekisho policy diff` and `sekisho policy check`: what a team's policies grant, proved without a server.

Exit codes: 0 no (more) access, 1 there is, with a request that shows it; 2 it is not known, or could not be asked.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import screen

if TYPE_CHECKING:
    from sekisho.analysis.solver import PolicyType, Verdict

CODES = {"no": 0, "yes": 1, "unknown": 2}
_STYLES = {"no": "green", "yes": "red", "unknown": "yellow"}
_UNASKED = 2

Type = Annotated[str | None, typer.Option("--type", help="identity or resource. Without it: resource where statements name principals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")]
Junit = Annotated[Path | None, typer.Option(help="A file for the results as JUnit XML.")]
Seconds = Annotated[float, typer.Option(min=0.001, max=600, help="How long one question may take; then it is unknown.")]


@dataclass(frozen=True, slots=True)
class Result:
    """One question about one file, and its answer."""

    file: Path
    question: str
    said: dict[str, str]  # the answer in words, by the answer
    verdict: "Verdict"

    @property
    def answer(self) -> str:
        """`yes`, `no` or `unknown`."""
        return self.verdict.answer.value

    def lines(self) -> Iterator[str]:
        """What the answer rests on, for people."""
        witness = self.verdict.witness
        if witness is None:
            if self.verdict.reason:
                yield f"because {self.verdict.reason}"
            return
        who = witness.principal
        named = who.arn or {"anonymous": "anybody, unsigned"}.get(who.kind, who.kind)
        yield f"principal  {named}{f' (role {who.role_arn})' if who.kind == 'assumed-role' else ''}"
        yield f"action     {witness.action}"
        yield f"resource   {witness.resource}"
        for key, value in sorted(_spelled(witness.context).items()):
            yield f"with       {key} = {', '.join(value) if isinstance(value, list) else value}"
        for statement in self.statements():
            yield f"granted by {self.file}:{statement['line']}: statement {statement['name']}"

    def statements(self) -> list[dict[str, Any]]:
        """The statements that grant it."""
        from sekisho import policy
        from sekisho.cli import documents

        listed = policy.compiled(documents.read(self.file)).policy.statements if self.verdict.statements else ()
        return [
            {"index": one.index, "sid": one.sid, "line": one.line, "name": f"`{one.sid}`" if one.sid else str(one.index + 1)}
            for one in (listed[index] for index in self.verdict.statements)
        ]

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        witness = self.verdict.witness
        found: dict[str, Any] = {"file": str(self.file), "question": self.question, "answer": self.answer}
        if witness is not None:
            found["witness"] = {
                "principal": {name: value for name, value in asdict(witness.principal).items() if value},
                "action": witness.action,
                "resource": witness.resource,
                "context": _spelled(witness.context),
            }
            found["statements"] = [{name: one[name] for name in ("index", "sid", "line")} for one in self.statements()]
        if self.verdict.reason:
            found["reason"] = self.verdict.reason
        return found

    def junit(self) -> tuple[str, str, str]:
        """The same as a test: name, place, and what failed."""
        lines = [f"{self.file}: {self.said[self.answer]}", *self.lines()]
        line = next((one["line"] for one in self.statements()), 1)
        return self.question, f"{self.file}:{line}:1", "" if self.answer == "no" else "\n".join(lines)


def diff(
    old: Annotated[Path, typer.Argument(help="The policy as it is, as JSON.")],
    new: Annotated[Path, typer.Argument(help="The policy as it is to be.")],
    kind: Type = None,
    as_json: AsJson = False,
    junit: Junit = None,
    seconds: Seconds = 10.0,
) -> None:
    """Say whether a policy grants more than it did: a request that shows it, or a proof that there is none.

    Exit code 0: it grants no more. 1: it grants more. 2: that is not known, or the policies cannot be read.
    """
    _told(lambda: _compared(old, new, kind, int(seconds * 1000)), as_json=as_json, junit=junit, command="policy diff")


def check(
    files: Annotated[list[Path], typer.Argument(help="Policies, as JSON.")],
    no_public: Annotated[
        bool, typer.Option("--no-public", help="Only who is named, or has a value that somebody owns, is let in.")
    ] = False,
    not_granted: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="An action, or pattern, that nothing may grant; several as a,b or repeated.")
    ] = None,
    resource: Annotated[
        list[str] | None, typer.Option(metavar="ARN", help="Beside --not-granted: on these resources. Alone: no action on them.")
    ] = None,
    kind: Type = None,
    as_json: AsJson = False,
    junit: Junit = None,
    seconds: Seconds = 10.0,
) -> None:
    """Say whether policies grant what they must not, under whatever conditions.

    Exit code 0: none does. 1: one does. 2: that is not known, or a policy cannot be read.
    """
    actions, resources = _split(not_granted), _split(resource)
    if not (no_public or actions or resources):
        raise typer.BadParameter("say what to check: --no-public, --not-granted or --resource")
    given = int(seconds * 1000)
    asked = Checks(no_public, actions, resources, kind, given)
    _told(lambda: (result for file in files for result in asked.of(file)), as_json=as_json, junit=junit, command="policy check")


@dataclass(frozen=True, slots=True)
class Checks:
    """What is checked of each file."""

    no_public: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    kind: str | None
    milliseconds: int

    def of(self, file: Path) -> Iterator[Result]:
        """The answers about one file."""
        from sekisho.analysis import solver

        text = _read(file)
        kind = _type(self.kind, text)
        if self.no_public:
            said = {"yes": "is public", "no": "is not public", "unknown": "unknown whether it is public"}
            # Who has a policy of its own is not let in by it.
            names_nobody = kind is solver.PolicyType.IDENTITY
            no = solver.Verdict(solver.Answer.NO)
            verdict = no if names_nobody else solver.public(text, milliseconds=self.milliseconds)
            yield Result(file, "is not public", said, verdict)
        if self.actions or self.resources:
            wanted = ", ".join(self.actions) or "anything"
            wanted += f" on {', '.join(self.resources)}" if self.resources else ""
            said = {"yes": f"grants {wanted}", "no": f"does not grant {wanted}", "unknown": f"unknown whether it grants {wanted}"}
            accesses = [solver.Access(self.actions, self.resources)]
            yield Result(file, said["no"], said, solver.granted(text, accesses, kind, milliseconds=self.milliseconds))


def _compared(old: Path, new: Path, kind: str | None, milliseconds: int) -> Iterator[Result]:
    from sekisho.analysis import solver

    said = {"yes": "grants more", "no": "grants no more", "unknown": "unknown"}
    before, after = _read(old), _read(new)
    verdict = solver.new_access(before, after, _type(kind, before, after), milliseconds=milliseconds)
    yield Result(new, f"grants no more than {old}", said, verdict)


def _told(asked: Callable[[], Iterator[Result]], *, as_json: bool, junit: Path | None, command: str) -> None:
    """Print the answers, write them where that is wanted, and exit with the gravest."""
    from sekisho.errors import SekishoError

    out = screen.console()
    results: list[Result] = []
    try:
        for result in asked():
            results.append(result)
            if not as_json:
                out.print(f"{result.file}: ", end="", markup=False)
                out.print(result.said[result.answer], style=_STYLES[result.answer], markup=False)
                for line in result.lines():
                    out.print(f"  {line}", markup=False)
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        print(f"sekisho: `{command}` needs z3, which is not installed: pip install 'sekisho[analyzer]'", file=sys.stderr)
        raise typer.Exit(_UNASKED) from None
    except (SekishoError, ValueError, OSError) as error:  # not exit code 1, which says that there is access
        print(f"sekisho: {_sentence(error)}", file=sys.stderr)
        raise typer.Exit(_UNASKED) from None
    if as_json:
        print(json.dumps([result.to_json() for result in results] if command == "policy check" else results[0].to_json(), indent=2))
    if junit is not None:
        from sekisho.cli import junit as xml

        suites: dict[str, list[tuple[str, str, str]]] = {}
        for result in results:
            suites.setdefault(str(result.file), []).append(result.junit())
        xml.write(junit, suites, name=f"sekisho {command}")
    raise typer.Exit(max(CODES[result.answer] for result in results) if all(one.answer != "yes" for one in results) else CODES["yes"])


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _read(file: Path) -> str:
    """The text of a policy that can be read; ValueError with its file otherwise."""
    from sekisho import policy
    from sekisho.cli import documents
    from sekisho.errors import SekishoError

    text = documents.read(file)
    try:
        policy.compiled(text)
    except SekishoError as error:
        raise ValueError(f"{file}: {error.message} (`sekisho policy validate` says where)") from None
    return text


def _type(wanted: str | None, *texts: str) -> "PolicyType":
    """The type of policies: as was said, else a resource's where they name principals."""
    from sekisho import policy
    from sekisho.analysis.solver import PolicyType

    if wanted is not None:
        if wanted not in ("identity", "resource"):
            raise ValueError(f"--type: `{wanted}` is neither identity nor resource")
        return PolicyType.IDENTITY if wanted == "identity" else PolicyType.RESOURCE
    statements = [statement for text in texts for statement in policy.compiled(text).policy.statements]
    named = any(statement.principals is not None for statement in statements)
    return PolicyType.RESOURCE if named else PolicyType.IDENTITY


def _split(values: list[str] | None) -> tuple[str, ...]:
    return tuple(one.strip() for value in values or () for one in value.split(",") if one.strip())


def _spelled(context: Mapping[str, str | tuple[str, ...]]) -> dict[str, str | list[str]]:
    """A context with keys as AWS writes them."""
    from sekisho.policy import keys

    return {keys.canonical(key): value if isinstance(value, str) else list(value) for key, value in context.items()}
