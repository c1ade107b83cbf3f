"""`sekisho token`: a bearer token for tools that cannot sign."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import Asked, Audience, DataDir, Profile


def token(
    expires: Annotated[int, typer.Option(min=1, max=900, help="Seconds that it is good for.")] = 900,
    profile: Profile = None,
    data_dir: DataDir = connection.DATA_DIR,
    audience: Audience = "sekisho",
) -> None:
    """Print a bearer token of the caller, made without asking the server: grpcurl -H "authorization: Bearer $(sekisho token)" …

    With --audience it is for the service of that name, which hands it to Authorize, and of no use to any other.
    """
    from sekisho.client import token as made

    # A token names its own audience; a role of a profile is assumed at the server that the environment or the data directory names.
    server_name = os.environ.get("SEKISHO_AUDIENCE") or "sekisho"
    found = connection.caller(Asked(os.environ.get("SEKISHO_ENDPOINT"), profile, data_dir, server_name))
    signer = found.credentials()
    connection.introduce(f"the owner of {signer.access_key_id}", found)
    print(made(signer, audience, datetime.now(UTC), expires=expires))
