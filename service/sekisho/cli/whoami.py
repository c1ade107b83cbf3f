"""`sekisho whoami`: as whom the other commands ask."""

import json
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import Asked


@connection.asking
def whoami(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    *,
    at: Asked,
) -> None:
    """Say as whom the other commands ask: the ARN that the server knows the caller by."""
    with connection.connect(at) as (_, caller):
        print(json.dumps({"account": caller.account, "arn": caller.arn, "user_id": caller.user_id}) if as_json else caller.arn)
