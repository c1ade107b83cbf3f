"""Paths as one HTML file without a network: the picture, everybody who has a path, and each step with the statements that permit it.

All that comes from an account is text: in the picture it is escaped, in the rest it is JSON that the page reads, and puts in as text. The
page's own policy admits its own script and style, by their hashes, and nothing else.
"""

import base64
import hashlib
import json
from html import escape
from importlib import resources
from typing import Any

from sekisho.analysis.escalation import Found, Grant, Hop, Place
from sekisho.cli.paths import svg
from sekisho.cli.paths.clusters import clusters, short


def drawn(found: Found) -> str:
    """The page of what was found."""
    style, script = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    headline = escape(svg.headline(found))
    allowed = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}"
    said = "; ".join(found.left_out) or "Each step was confirmed by the evaluator. A box is chosen by a click, and again to undo that."
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{allowed}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{headline}</title>",
            f"<style>{style}</style></head><body>",
            f"<header><h1>{headline}</h1><p>{escape(said)}</p></header>",
            '<main><nav><label>Search <input id="search" type="search" placeholder="name, method, target"></label>',
            '<p id="count"></p><ol id="list"></ol></nav>',
            f'<section><div id="path"></div><div id="picture">{svg.drawn(found)}</div></section></main>',
            f'<script type="application/json" id="data">{_data(found)}</script>',
            f"<script>{script}</script></body></html>",
            "",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(found: Found) -> str:
    """JSON in which nothing can end the element that it stands in."""
    number = {member: one.number for one in clusters(found) for member in one.members}
    paths = [
        {"name": short(path.source), "cluster": number[short(path.source)], "hops": [_hop(hop) for hop in path.hops]}
        for path in found.paths
    ]
    text = json.dumps({"paths": paths}, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "method": hop.rule.name,
        "on": short(hop.on),
        "becomes": short(hop.becomes),
        "change": hop.change,
        "presumes": hop.presumes,
        "grants": [_grant(grant) for grant in hop.grants],
    }


def _grant(grant: Grant) -> dict[str, str]:
    return {"action": grant.action, "resource": grant.resource, "by": "; ".join(map(place, grant.statements)) or "needs no permission"}


def place(one: Place) -> str:
    """A statement, in words."""
    policy = f"{one.policy_arn} {one.policy_version}".strip() if one.policy_arn else one.policy_name
    return f"{one.layer} policy {policy}, statement {f'`{one.sid}`' if one.sid else one.place + 1}"
