"""`sekisho analyze`: how principals could get more than they were given, what nobody uses, and policies of what somebody does."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from sekisho.analysis.escalation import Found
    from sekisho.world import Keys

app = typer.Typer(
    name="analyze", no_args_is_help=True, rich_markup_mode=None, help="Paths to administrators, unused access, policies of what was done."
)

OPEN = 5
"""The exit code when somebody has a path, or could have one that was not looked for."""
MOST = 50
"""Lines of a table, where not all are asked for."""
_SECONDS = 30.0
"""A call may take, as long as the server lets it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.callback()
def analyze() -> None:
    """Paths to administrators, unused access, policies of what was done."""


@app.command()
@connection.asking
def escalation(
    offline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder with account.yaml, as `sekisho load` reads it, instead of a server.")
    ] = None,
    define: Annotated[list[str] | None, typer.Option(help="With --offline: WORD=VALUE for a word that the file defines.")] = None,
    goal: Annotated[str, typer.Option(metavar="ARN", help="Paths to this user or role, instead of to administrators.")] = "",
    organization: Annotated[
        bool, typer.Option("--organization", help="Paths from one account of the organization into another, to its administrators.")
    ] = False,
    suppose: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A condition key that is taken to have this value; several times.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a picture.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the picture, a search, and every step.")] = None,
    as_json: AsJson = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit code 5 when anybody has a path, or not all was looked at.")] = False,
    *,
    at: Asked,
) -> None:
    """Find the shortest way by which each principal of an account can become an administrator, and what permits each step of it.

    Every step was confirmed by the evaluator that decides. docs/least-privilege.md says which methods there are.
    """
    from sekisho.cli.paths import reading, table

    supposed = _supposed(suppose)
    if define and offline is None:
        raise typer.BadParameter("it goes with --offline", param_hint="--define")
    if organization and (offline is not None or goal):
        raise typer.BadParameter("it goes neither with --offline nor with --goal", param_hint="--organization")
    if offline is not None:
        found = _offline(offline, define, goal, supposed)
    else:
        with connection.connect(at) as (client, _), screen.waiting("looking for paths"):
            found = reading.asked(client, goal, supposed, organization=organization, timeout=_SECONDS)
    if svg is not None or html is not None:
        _draw(found, svg, html)
    if as_json:
        print(json.dumps(reading.plain(found)))
    else:
        table.printed(found, MOST)
    raise typer.Exit(OPEN if exit_code and (found.paths or found.left_out) else 0)


def _offline(folder: Path, define: list[str] | None, goal: str, supposed: "Keys") -> "Found":
    from sekisho.analysis import escalation
    from sekisho.cli import directory
    from sekisho.cli.paths import files

    estate = files.estate(folder, directory.definitions(define), datetime.now(UTC))
    with screen.waiting("looking for paths"):
        return escalation.find(estate, goal=goal.replace(directory.ACCOUNT, estate.account_id), supposed=supposed)


def _draw(found: "Found", svg: Path | None, html: Path | None) -> None:
    from sekisho.cli.paths import html as page
    from sekisho.cli.paths import svg as picture

    if svg is not None:
        svg.write_text(picture.drawn(found), "utf-8")
    if html is not None:
        html.write_text(page.drawn(found), "utf-8")


def _supposed(given: list[str] | None) -> "Keys":
    from sekisho import policy

    values: dict[str, list[str]] = {}
    for item in given or ():
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise typer.BadParameter("KEY=VALUE", param_hint="--suppose")
        values.setdefault(key, []).append(value)
    return policy.context(values, {key for key, some in values.items() if len(some) > 1})


@app.command()
@connection.asking
def unused(
    days: Annotated[int, typer.Option(min=1, max=365, help="Days without a use.")] = 90,
    as_json: AsJson = False,
    *,
    at: Asked,
) -> None:
    """List what nobody has used: users, roles, passwords, access keys, and what policies permit, with what would remove exactly that."""
    from sekisho.client import pages

    with connection.connect(at) as (client, _):
        answers = pages(client.insight.get_unused_access, days=days, timeout=_SECONDS)
        found = [_unused(one) for page in answers for one in page.findings]
    if as_json:
        print(json.dumps(found))
        return
    _table(found, days)


def _unused(one: Any) -> dict[str, Any]:
    said = {
        "kind": one.kind,
        "arn": one.arn,
        "name": one.name,
        "since": one.since.ToJsonString() if one.HasField("since") else None,
        "days": one.days,
        "recommendation": one.recommendation,
    }
    if one.kind == "permission":
        document = json.loads(one.policy_document) if one.policy_document else None
        said |= {"unused": list(one.unused_actions), "narrowed": list(one.narrowed_actions), "policy": document}
    return said


def _table(found: list[Mapping[str, Any]] | list[dict[str, Any]], days: int) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("kind", "what", "unused", "recommendation", box=None, pad_edge=False, header_style="bold")
    for one in found:
        what = Text(f"{one['arn'].split(':', 5)[-1]} {one['name']}".strip())
        actions = [*one.get("unused", ()), *(f"{pattern} in part" for pattern in one.get("narrowed", ()))]
        table.add_row(one["kind"], what, Text(", ".join(actions) or f"for {one['days']} days"), one["recommendation"])
    if found:
        screen.console().print(table)
    print(f"{len(found)} not used for {days} days")


@app.command()
@connection.asking
def generate(
    principal: Annotated[str, typer.Argument(metavar="ARN", help="A user or role of the caller's account.")],
    days: Annotated[int, typer.Option(min=1, max=90, help="Of the last days.")] = 90,
    generalize: Annotated[
        bool, typer.Option("--generalize", help="A wildcard for several resources of one collection, as order/* for order/17 and order/18.")
    ] = False,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="${Account} and ${Region} in the place of the account and the region: a template.")
    ] = False,
    as_json: AsJson = False,
    *,
    at: Asked,
) -> None:
    """Print a policy of exactly what a user or role did and was permitted: calls of ours, and decisions that data events record."""
    import sys

    with connection.connect(at) as (client, _):
        begins = datetime.now(UTC) - timedelta(days=days) + timedelta(minutes=1)  # clocks differ
        made = client.insight.generate_policy(
            principal_arn=principal, begins_at=begins, generalize=generalize, parameters=parameters, timeout=_SECONDS
        )
    if as_json:
        uses = [{"action": one.action, "resource": one.resource, "times": one.times} for one in made.uses]
        print(json.dumps({"policy": json.loads(made.policy_document), "uses": uses, "events": made.events}))
        return
    print(made.policy_document)
    print(f"of {made.events} events, {len(made.uses)} different uses", file=sys.stderr)
