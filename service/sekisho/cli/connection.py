"""Which server a command asks, and as whom."""

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import screen

if TYPE_CHECKING:
    from sekisho.api.sts.v1.identities_pb2 import GetCallerIdentityResponse
    from sekisho.client import Client, Credentials
    from sekisho.client.credentials import Found
    from sekisho.client.roles import Server

DATA_DIR = Path(".data")


def _profile(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """The profile of the command line; that of the environment counts for less than keys in the environment, as with AWS's tools."""
    source = context.get_parameter_source(str(parameter.name))
    by_environment = source is not None and source.name == "ENVIRONMENT"
    return None if by_environment and os.environ.get("AWS_ACCESS_KEY_ID") else value


DataDir = Annotated[Path, typer.Option(envvar="SEKISHO_DATA_DIR", help="The server's data directory.", show_envvar=True)]
Endpoint = Annotated[
    str | None,
    typer.Option(envvar="SEKISHO_ENDPOINT", help="HOST:PORT or https://HOST:PORT; else as DATA_DIR/endpoints.json says."),
]
Profile = Annotated[
    str | None,
    typer.Option(
        envvar="SEKISHO_PROFILE",
        callback=_profile,
        help="Who asks: a profile of SEKISHO_CREDENTIALS, of DATA_DIR/credentials or of ~/.aws. Without it, whom AWS_ACCESS_KEY_ID, "
        "AWS_PROFILE and the files of AWS's tools name; only when they name nobody, the root user of DATA_DIR/credentials.",
    ),
]
Audience = Annotated[str, typer.Option(envvar="SEKISHO_AUDIENCE", help="The name that the server goes by.")]
Authority = Annotated[Path | None, typer.Option("--ca", envvar="SEKISHO_CA", help="What vouches for the server (PEM); implies TLS.")]
CUT = ("Socket closed", "Connection reset by peer")
"""What gRPC says where a server closes the connection of who does not speak TLS with it: grpcio's, and the lean one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The server that a command asks, and as whom."""

    endpoint: Endpoint = None
    profile: Profile = None
    data_dir: DataDir = DATA_DIR
    audience: Audience = "sekisho"
    ca: Authority = None


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command that asks a server: its `at`, an `Asked`, is five options of the command line."""
    own = inspect.signature(command, eval_str=True)
    names = [field.name for field in fields(Asked)]

    @functools.wraps(command)
    def told(**given: Any) -> None:
        command(at=Asked(**{name: given.pop(name) for name in names}), **given)

    options = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in inspect.signature(Asked).parameters.values()]
    kept = [parameter for name, parameter in own.parameters.items() if name != "at"]
    told.__signature__ = own.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    told.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *options)}
    return told


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


def server(at: Asked) -> "Server":
    """The server that the options name; ValueError where neither they nor the data directory do."""
    from sekisho.client.roles import Server
    from sekisho.client.transport import tls_from_env

    tls = tls_from_env(os.environ | ({"SEKISHO_CA": str(at.ca)} if at.ca is not None else {}))
    return Server(at.endpoint or endpoints(at.data_dir)["grpc"], at.audience, tls)


def caller(at: Asked) -> "Found":
    """The credentials of whoever asks: a profile that was named, else whom the environment and the files of AWS's tools name.

    Only when they name nobody it is the root user of the data directory. Credentials that are named and cannot be had are an error.
    Where a profile assumes a role, that is at the server that is asked.
    """
    from sekisho import client
    from sekisho.client.credentials import find, of_profile

    def where() -> "Server":
        return server(at)

    file = Path(os.environ.get("SEKISHO_CREDENTIALS") or at.data_dir / "credentials")
    if at.profile is None:
        return find(os.environ, where) or of_profile("root", os.environ, file)
    try:
        return of_profile(at.profile, os.environ, file, where)
    except client.NoCredentialsError as error:
        if os.environ.get("SEKISHO_CREDENTIALS"):
            raise
        # A profile that is named is not shadowed by keys of the environment, as with AWS's own --profile.
        try:
            return of_profile(at.profile, os.environ, None, where)
        except client.NoCredentialsError as other:
            raise client.NoCredentialsError(f"{error}; {other}") from None


def credentials(profile: str | None, data_dir: Path) -> "Credentials":
    """The credentials of this moment of whoever asks at the server of a data directory."""
    return caller(Asked(profile=profile, data_dir=data_dir)).credentials()


def introduce(arn: str, found: "Found") -> None:
    """Say on standard error who asks, and where its credentials are from."""
    print(f"as {arn} ({found.place})", file=sys.stderr)


@contextmanager
def connect(at: Asked) -> "Iterator[tuple[Client, GetCallerIdentityResponse]]":
    """A client for what the options say, and who asks, which is said on standard error.

    When the server does not know the caller, the error says whose key signed and where it is from.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it has to say about a handshake is in the error, which is one line
    from sekisho.client import Client, Unauthenticated, Unavailable

    found = caller(at)
    found.credentials()  # now, where a code may be asked for, and not with a line about waiting on the screen
    there = server(at)
    with Client(there.endpoint, found.source, audience=there.audience, tls=there.tls) as client:
        try:
            with screen.waiting(f"asking {there.endpoint}"):
                identity = client.sts.get_caller_identity()
            introduce(identity.arn, found)
            yield client, identity
        except Unavailable as error:
            if there.tls is None and any(cut in error.message for cut in CUT):
                raise Unavailable(f"{error.message} (if it serves TLS, give --ca or an https:// endpoint)") from None
            raise
        except Unauthenticated as error:
            said = (
                f"{error.message} (signed with {found.credentials().access_key_id}, from {found.place}{_root_is_near(at.data_dir, found)})"
            )
            raise Unauthenticated(said, code=error.code, request_id=error.request_id, answered=error.answered) from None


def _root_is_near(data_dir: Path, found: "Found") -> str:
    """How to ask as the root user instead, where keys of AWS's own may have been meant for AWS."""
    file = data_dir / "credentials"
    return "; --profile root asks as the root user of " + str(data_dir) if file.exists() and str(file) not in found.place else ""
