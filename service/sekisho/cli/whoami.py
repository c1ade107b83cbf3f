"""`sekisho whoami`: as whom the other commands ask."""

import json
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import Audience, Authority, DataDir, Endpoint, Profile


def whoami(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    endpoint: Endpoint = None,
    profile: Profile = None,
    data_dir: DataDir = connection.DATA_DIR,
    audience: Audience = "sekisho",
    ca: Authority = None,
) -> None:
    """Say as whom the other commands ask: the ARN that the server knows the caller by."""
    with connection.connect(endpoint, data_dir, profile, audience, ca) as (_, caller):
        print(json.dumps({"account": caller.account, "arn": caller.arn, "user_id": caller.user_id}) if as_json else caller.arn)
