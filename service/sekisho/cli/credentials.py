"""`sekisho credentials`: temporary credentials for other programs."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from sekisho.client.roles import Role, Server
    from sekisho.client.sources import Temporary

app = typer.Typer(name="credentials", no_args_is_help=True, rich_markup_mode=None, help="Temporary credentials for other programs.")

RoleArn = Annotated[str, typer.Option(metavar="ARN", help="The role to assume; without it, the credentials of the profile.")]
SessionName = Annotated[str, typer.Option("--role-session-name", metavar="NAME", help="The session's name; else one with the time in it.")]
ExternalId = Annotated[str, typer.Option(metavar="ID", help="What the trust policy asks for as sts:ExternalId.")]
Duration = Annotated[int, typer.Option("--duration-seconds", min=0, max=43_200, help="Seconds of the session; 0 leaves it to the server.")]
MfaSerial = Annotated[str, typer.Option(metavar="SERIAL", help="The MFA device whose code is asked for at the terminal.")]

_NOT_FOUND, _NOT_RUN = 127, 126  # as a shell says it
_OTHERS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "SEKISHO_PROFILE",
    "SEKISHO_CREDENTIALS",
)
"""Variables that would name another caller."""


@app.callback()
def credentials() -> None:
    """Temporary credentials for other programs."""


@app.command()
@connection.asking
def process(
    role_arn: RoleArn = "",
    role_session_name: SessionName = "",
    external_id: ExternalId = "",
    duration_seconds: Duration = 0,
    mfa_serial: MfaSerial = "",
    *,
    at: Asked,
) -> None:
    """Print credentials as the credential_process of a profile of AWS's tools. They are kept in a file of their owner's alone, and renewed
    before they end; programs that start at once ask the server once.
    """
    from sekisho.client.processes import printed
    from sekisho.client.roles import Role

    role = Role(role_arn, role_session_name, external_id, duration_seconds, mfa_serial)
    print(json.dumps(printed(_temporary(role, at))))


@app.command(name="exec", context_settings={"allow_interspersed_args": False})
@connection.asking
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="What is run with the credentials in its environment.")],
    role_arn: RoleArn = "",
    role_session_name: SessionName = "",
    external_id: ExternalId = "",
    duration_seconds: Duration = 0,
    mfa_serial: MfaSerial = "",
    *,
    at: Asked,
) -> None:
    """Run a command with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of a role. It takes the place of this one, so that
    signals reach it, and its exit code is what the shell sees. It is not told when they end: AWS_CREDENTIAL_EXPIRATION says when.
    """
    from sekisho.client.roles import Role

    role = Role(role_arn, role_session_name, external_id, duration_seconds, mfa_serial)
    found = _temporary(role, at)
    environment = _environment(os.environ, found, _known_server(at))
    for name in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and what is ignored stays so in the program that follows
        signal.signal(name, signal.SIG_DFL)
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  # what the user asked for
    except OSError as error:
        print(f"sekisho: {command[0]}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN) from None


def _temporary(role: "Role", at: Asked) -> "Temporary":
    from sekisho.cli import credential_cache
    from sekisho.client import Credentials, roles

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if not role.arn and role != roles.Role(""):
        raise typer.BadParameter("it is missing, and the other options are about the role", param_hint="--role-arn")
    found = connection.caller(at)
    if role.arn:
        there = connection.server(at)
        found = roles.assumed(role, found, roles.Where(os.environ, lambda: there), "--role-arn")
    elif isinstance(found.source, Credentials):
        return found.temporary()
    known = _known_server(at)
    names = (*((known.endpoint, known.audience) if known is not None else ()), *found.names)
    return credential_cache.cached(credential_cache.folder(os.environ), names, found.temporary, now=lambda: datetime.now(UTC))


def _known_server(at: Asked) -> "Server | None":
    """The server, if there is one: credentials of a helper program need none."""
    try:
        return connection.server(at)
    except ValueError:
        return None


def _environment(before: Mapping[str, str], given: "Temporary", at: "Server | None") -> dict[str, str]:
    """The environment of a command: nothing in it names another caller, and our own command finds the server."""
    made = {name: value for name, value in before.items() if name not in _OTHERS}
    made |= {"AWS_ACCESS_KEY_ID": given.credentials.access_key_id, "AWS_SECRET_ACCESS_KEY": given.credentials.secret_access_key}
    if given.credentials.session_token is not None:
        made["AWS_SESSION_TOKEN"] = given.credentials.session_token
    if given.ends is not None:
        made["AWS_CREDENTIAL_EXPIRATION"] = given.ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if at is not None:
        made |= {"SEKISHO_ENDPOINT": at.endpoint, "SEKISHO_AUDIENCE": at.audience}
        if at.tls is not None and at.tls.ca is not None:
            made["SEKISHO_CA"] = str(at.tls.ca.absolute())
    return made
