"""Which server a command asks, and as whom."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sekisho.client import Client, Credentials

DATA_DIR = Path(".data")

DataDir = Annotated[Path, typer.Option(envvar="SEKISHO_DATA_DIR", help="The server's data directory.", show_envvar=True)]
Endpoint = Annotated[
    str | None,
    typer.Option(envvar="SEKISHO_ENDPOINT", help="HOST:PORT or https://HOST:PORT; else as DATA_DIR/endpoints.json says."),
]
Profile = Annotated[
    str | None,
    typer.Option(
        envvar="SEKISHO_PROFILE",
        help="A profile of SEKISHO_CREDENTIALS or DATA_DIR/credentials; without it, AWS_ACCESS_KEY_ID and so on, else `root`.",
    ),
]
Audience = Annotated[str, typer.Option(envvar="SEKISHO_AUDIENCE", help="The name that the server goes by.")]
Authority = Annotated[Path | None, typer.Option("--ca", envvar="SEKISHO_CA", help="What vouches for the server (PEM); implies TLS.")]


def endpoints(data_dir: Path) -> dict[str, str]:
    """Where the server of a data directory listens."""
    from sekisho.node import data_dir as directory

    try:
        found: dict[str, str] = json.loads((data_dir / "endpoints.json").read_text())
        if not directory.is_served(data_dir):  # a server that was killed left it: another may listen there by now
            raise FileNotFoundError
    except FileNotFoundError:
        raise ValueError(f"no server runs in the data directory `{data_dir}`; name one with --endpoint or --data-dir") from None
    return {name: reachable(address) for name, address in found.items()}


def reachable(listener: str) -> str:
    """A listener on all addresses, as a program on the same machine reaches it."""
    host, _, port = listener.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host) + f":{port}"  # noqa: S104  # read, not bound


def credentials(profile: str | None, data_dir: Path) -> "Credentials":
    """The caller's credentials: a profile that was named, else the environment's, else the root user's of the data directory."""
    from sekisho import client

    file = Path(os.environ.get("SEKISHO_CREDENTIALS") or data_dir / "credentials")
    if profile is not None:
        return client.from_file(file, profile)
    if os.environ.get("AWS_ACCESS_KEY_ID") or not file.exists():
        return client.from_env(os.environ)
    return client.from_file(file, "root")


@contextmanager
def connect(endpoint: str | None, data_dir: Path, profile: str | None, audience: str, ca: Path | None) -> "Iterator[Client]":
    """A client for what the options say; when the server does not know the caller, the error says whose key signed."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it has to say about a handshake is in the error, which is one line
    from sekisho.client import Client, Unauthenticated, Unavailable
    from sekisho.client.transport import tls_from_env

    signer = credentials(profile, data_dir)
    tls = tls_from_env(os.environ | ({"SEKISHO_CA": str(ca)} if ca is not None else {}))
    with Client(endpoint or endpoints(data_dir)["grpc"], signer, audience=audience, tls=tls) as client:
        try:
            yield client
        except Unavailable as error:
            if tls is None and error.message.endswith("Socket closed"):
                raise Unavailable(f"{error.message} (if it serves TLS, give --ca or an https:// endpoint)") from None
            raise
        except Unauthenticated as error:
            where = "AWS_ACCESS_KEY_ID" if profile is None and os.environ.get("AWS_ACCESS_KEY_ID") else "the credentials file"
            said = f"{error.message} (signed with {signer.access_key_id}, from {where})"
            raise Unauthenticated(said, code=error.code, request_id=error.request_id, answered=error.answered) from None
