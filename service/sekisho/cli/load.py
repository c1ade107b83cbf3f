"""`sekisho load`: an account, or an organization, from a directory of files."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from sekisho.api.sts.v1.identities_pb2 import GetCallerIdentityResponse
    from sekisho.cli.changes import Change, Result
    from sekisho.client import Client

DIFFERENT = 4
MOST = 20
"""Lines about what is extra that a load prints; a dry run prints all."""


@connection.asking
def load(
    directory: Annotated[Path, typer.Argument(help="A folder with account.yaml or organization.yaml.")],
    define: Annotated[list[str] | None, typer.Option(help="WORD=VALUE for a word that the file defines; several times.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the account has beyond the directory, access keys included.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done, with the differences.")] = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="With --dry-run: exit code 4 when the account is not as the directory says, extras included."),
    ] = False,
    *,
    at: Asked,
) -> None:
    """Bring the caller's account, or its organization, into the shape that a directory describes. A second run changes nothing.

    What there is beyond the directory is named, and deleted with --prune alone. The caller itself, the roles of services and accounts stay.
    """
    from sekisho.cli.directory import definitions

    words = definitions(define)
    if exit_code and not dry_run:
        raise typer.BadParameter("it goes with --dry-run", param_hint="--exit-code")
    with connection.connect(at) as (client, caller):
        plan = planned(client, caller, directory, words, prune=prune, complete=prune or exit_code)
        if not dry_run:
            for change in screen.tracked(plan.changes, f"loading {directory.name}"):
                if change.run() != "unchanged":
                    print(f"{change.result:9} {change.what}")
    if dry_run:
        _preview(plan)
    _drift(plan, sys.maxsize if dry_run else MOST)
    counts: Counter[str] = Counter(change.result for change in plan.changes)
    done = ["created", "changed", *(["deleted"] if counts["deleted"] else []), "unchanged"]
    told = [f"{counts[result]} {f'to be {result}' if dry_run and result != 'unchanged' else result}" for result in done]
    told += [f"{len(plan.extra)} extra{'' if prune else ' (--prune deletes them)'}"] if plan.extra else []
    told += [f"{len(plan.fixed)} that cannot be changed"] if plan.fixed else []
    print(", ".join(told))
    raise typer.Exit(DIFFERENT if exit_code and plan.differs else 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order; what the account has beyond the directory and keeps; what differs for good."""

    changes: "tuple[Change, ...]"
    extra: tuple[str, ...]
    fixed: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the account is not as the directory says."""
        return bool(self.extra or self.fixed or any(change.result != "unchanged" for change in self.changes))


def planned(
    client: "Client", caller: "GetCallerIdentityResponse", directory: Path, words: dict[str, str], *, prune: bool, complete: bool = False
) -> Plan:
    """Compare an account, an organization or both with a directory; nothing is changed. With `complete`, Denied when the caller is not
    permitted to see all that the account has.
    """
    from sekisho.cli import organization_file

    parts = []
    if (directory / organization_file.NAME).is_file() and not (directory / "account.yaml").is_file():
        parts.append(_of_organization(client, caller, directory, words, prune=prune))
    else:
        parts.append(_of_account(client, caller, directory, words, prune=prune, complete=complete))
        if (directory / organization_file.NAME).is_file():
            parts.append(_of_organization(client, caller, directory, words, prune=prune))
    changes = [change.pruned() if prune else change for made, _ in parts for change in made]
    extra = [said for _, told in parts for said in told]
    extra += [f"{change.what}: {line}" for change in changes for said, _ in change.extra for line in said.splitlines()]
    fixed = [f"{change.what}: {said}" for change in changes for said in change.fixed]
    return Plan(tuple(changes), tuple(extra), tuple(fixed))


def _of_account(
    client: "Client", caller: "GetCallerIdentityResponse", directory: Path, words: dict[str, str], *, prune: bool, complete: bool
) -> "tuple[list[Change], list[str]]":
    """The changes to what an account holds, and what it has that is not named and stays."""
    from sekisho.cli import apply, documents
    from sekisho.cli import directory as files
    from sekisho.cli.surplus import Surplus
    from sekisho.client import Denied

    account = files.read(directory, caller.account, words)
    documents.refuse_all(directory, account)
    steps = apply.steps(client, caller.account, account)
    changes = [step.run() for step in screen.tracked(steps, f"comparing {directory.name}")]
    surplus = Surplus(client, account, caller.arn)
    extra: list[str] = []
    try:
        found = surplus.found()
    except Denied as error:
        if complete:
            raise
        print(f"sekisho: what else the account has is not known: {error}", file=sys.stderr)
        found = []
    for kind, one in screen.tracked(found, "looking for what is extra"):
        name = f"{kind} {getattr(one, f'{kind}_name')}"
        if surplus.is_caller(kind, one):
            extra.append(f"{name}, which asks and stays")
        elif prune:
            changes.append(surplus.deletion(kind, one))
        else:
            extra.append(name)
    return changes, extra


def _of_organization(
    client: "Client", caller: "GetCallerIdentityResponse", directory: Path, words: dict[str, str], *, prune: bool
) -> "tuple[list[Change], list[str]]":
    """The changes to an organization, and what it has that is not named and stays."""
    from sekisho.cli import documents, organization_file
    from sekisho.cli.organization_plan import Comparison

    wanted = organization_file.read(directory, caller.account, words)
    documents.refuse_organization(directory, wanted)
    comparison = Comparison(client, caller.account, wanted)
    changes = [step.run() for step in screen.tracked(comparison.steps(), f"comparing {directory.name}")]
    gone, stays = comparison.surplus()
    if prune:
        return [*changes, *gone], stays
    return changes, [*stays, *(change.what for change in gone)]


def loaded(client: "Client", directory: Path, words: dict[str, str]) -> "dict[str, Result]":
    """What was done for each thing in a directory, by its name."""
    plan = planned(client, client.sts.get_caller_identity(), directory, words, prune=False)
    return {change.what: change.run() for change in screen.tracked(plan.changes, f"loading {directory.name}")}


def _preview(plan: Plan) -> None:
    """What would be done, with each difference below it."""
    for change in plan.changes:
        if change.result == "unchanged":
            continue
        print(f"{change.result.removesuffix('d'):9} {change.what}")
        for said, _ in change.parts:
            for line in said.splitlines():
                print(f"            {line}")


def _drift(plan: Plan, most: int) -> None:
    """What the account has too much, and what cannot be as it should."""
    for line in plan.extra[:most]:
        print(f"extra     {line}")
    if len(plan.extra) > most:
        print(f"extra     {len(plan.extra) - most} more, which --dry-run names")
    for line in plan.fixed:
        print(f"differs   {line}")
