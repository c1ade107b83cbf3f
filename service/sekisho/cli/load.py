"""`sekisho load`: an account from a directory of files."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Audience, Authority, DataDir, Endpoint, Profile

if TYPE_CHECKING:
    from sekisho.cli.apply import Result
    from sekisho.client import Client


def load(
    directory: Annotated[Path, typer.Argument(help="A folder with account.yaml, such as docs/examples/shop.")],
    define: Annotated[list[str] | None, typer.Option(help="WORD=VALUE for a word that account.yaml defines; several times.")] = None,
    endpoint: Endpoint = None,
    profile: Profile = None,
    data_dir: DataDir = connection.DATA_DIR,
    audience: Audience = "sekisho",
    ca: Authority = None,
) -> None:
    """Bring the caller's account into the shape that a directory describes. A second run changes nothing; nothing is ever removed."""
    from sekisho.cli.directory import definitions

    words = definitions(define)
    with connection.connect(endpoint, data_dir, profile, audience, ca) as client:
        done = loaded(client, directory, words)
    for what, result in done.items():
        if result != "unchanged":
            print(f"{result:9} {what}")
    counts = Counter(done.values())
    print(", ".join(f"{counts[result]} {result}" for result in ("created", "changed", "unchanged")))


def loaded(client: "Client", directory: Path, words: dict[str, str]) -> "dict[str, Result]":
    """What was done for each thing in a directory, by its name."""
    from sekisho.cli import apply
    from sekisho.cli import directory as files

    account_id = client.sts.get_caller_identity().account
    steps = apply.steps(client, account_id, files.read(directory, account_id, words))
    return {step.what: step.run() for step in screen.tracked(steps, f"loading {directory.name}")}
