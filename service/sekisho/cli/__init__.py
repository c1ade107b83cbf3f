"""The command line: `sekisho --help` lists what there is. The server is loaded only by the commands that are of it.

Exit codes: 0 done, or allowed; 1 it failed, with one line on standard error that says why; 2 the command was written wrongly;
3 `authorize` was answered with a deny; 4 `load --dry-run --exit-code` found a difference; 5 `analyze escalation --exit-code` found a path.
"""

import os
import sys
from typing import Annotated

import typer

import sekisho
from sekisho.cli import (
    account,
    analyze,
    authorize,
    credentials,
    db,
    demo,
    health,
    keys,
    load,
    managed_policies,
    org,
    policy,
    serve,
    service,
    spool,
    token,
    trail,
    whoami,
)
from sekisho.cli.database import driver_sentence

FAILED = 1

# Without rich, which would double the time of --help
app = typer.Typer(name="sekisho", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sekisho {sekisho.__version__}")
        raise typer.Exit


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False) -> None:
    """Sekisho: who may do what, with the semantics of AWS IAM."""


app.command()(serve.serve)
app.command()(demo.demo)
app.command()(load.load)
app.command()(authorize.authorize)
app.command()(token.token)
app.command()(whoami.whoami)
app.command()(health.health)
app.add_typer(account.app)
app.add_typer(analyze.app)
app.add_typer(credentials.app)
app.add_typer(db.app)
app.add_typer(keys.app)
app.add_typer(managed_policies.app)
app.add_typer(org.app)
app.add_typer(policy.app)
app.add_typer(service.app)
app.add_typer(spool.app)
app.add_typer(trail.app)


def main() -> None:
    """Run the command that the arguments name; whatever goes wrong is one line on standard error."""
    try:
        app(prog_name="sekisho")
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell says it: 128 + SIGINT
    except BrokenPipeError:
        # The reader has gone, as after `| head`; the interpreter would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get("SEKISHO_DEBUG"):
            raise
        print(f"sekisho: {_sentence(error)}", file=sys.stderr)
        sys.exit(FAILED)


def _sentence(error: Exception) -> str:
    """One line that says what was wrong."""
    text = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("sekisho"):
        return f"this command needs the server, which is not installed ({error.name} is missing): pip install 'sekisho[server]'"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    if not _names_what(error) and (said := driver_sentence(error)):
        return f"the database: {said}"
    if _expected(error) and text:
        file = getattr(error.__cause__, "filename", None)
        return text if file is None or str(file) in text else f"{file}: {text}"
    return f"unexpected {type(error).__name__}: {text} (SEKISHO_DEBUG=1 shows where)"


def _names_what(error: Exception) -> bool:
    """Whether the error says already which database it is about, and why."""
    from sekisho.errors import FailedPrecondition

    return isinstance(error, ValueError | FailedPrecondition)


def _expected(error: Exception) -> bool:
    """Whether the error's own words are meant for whoever typed the command."""
    from sekisho.client import Error, NoCredentialsError
    from sekisho.errors import SekishoError

    return isinstance(error, Error | NoCredentialsError | SekishoError | ValueError) or type(error).__module__ == "sqlalchemy.exc"
