"""Paths as a table on a screen, the shortest first."""

from sekisho.analysis.escalation import Found, Hop
from sekisho.cli import screen
from sekisho.cli.paths import svg
from sekisho.cli.paths.clusters import short
from sekisho.cli.paths.html import place


def printed(found: Found, most: int) -> None:
    """A line for each step of the first `most` paths, and what was found in all."""
    from rich.table import Table
    from rich.text import Text

    if found.paths:
        table = Table("who", "does", "and is then", "permitted by", box=None, pad_edge=False, header_style="bold")
        for path in found.paths[:most]:
            for index, hop in enumerate(path.hops):
                who = Text(short(path.source), style="bold") if not index else Text("")
                table.add_row(who, Text(hop.rule.name), Text(_after(hop)), Text(_why(hop)))
        screen.console().print(table)
    if len(found.paths) > most:
        print(f"… and {len(found.paths) - most} more, which --json, --svg and --html show")
    for said in found.left_out:
        print(f"not all was looked at: {said}")
    ended = f"; {len(found.administrators)} are administrators" if not found.goal else ""
    print(f"{svg.headline(found)}{ended}")


def _after(hop: Hop) -> str:
    who = short(hop.becomes) if hop.becomes != hop.by else "itself"
    return f"{who}, {hop.change}" if hop.change else f"{who}, if {hop.presumes}" if hop.presumes else who


def _why(hop: Hop) -> str:
    return "; ".join(dict.fromkeys(place(one) for grant in hop.grants for one in grant.statements))
