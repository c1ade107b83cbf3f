"""`sekisho health`: whether the server of a data directory can answer; what a container's health check runs."""

import http.client
import sys

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir

TIMEOUT = 3.0


def health(data_dir: DataDir = connection.DATA_DIR) -> None:
    """Ask the server of a data directory whether it is ready. Exit code 0: it is; 1: it is not, and one line says why."""
    address = connection.endpoints(data_dir)["http"]
    link = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        link.request("GET", "/readyz")
        answer = link.getresponse()
        text = answer.read(4096).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"sekisho: {address} does not answer: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        link.close()
    print(text, file=sys.stdout if answer.status == http.HTTPStatus.OK else sys.stderr)
    raise typer.Exit(0 if answer.status == http.HTTPStatus.OK else 1)
