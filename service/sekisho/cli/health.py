"""`sekisho health`: whether the server of a data directory can answer; what a container's health check runs."""

import http.client
import os
import ssl
import sys
from pathlib import Path
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir

TIMEOUT = 2.0
"""Seconds, so that two tries end before a container's health check does."""


def health(
    data_dir: DataDir = connection.DATA_DIR,
    ca: Annotated[
        Path | None, typer.Option("--ca", envvar="SEKISHO_CA", help="What vouches for a server with TLS (PEM); without it nobody has to.")
    ] = None,
) -> None:
    """Ask the server of a data directory whether it is ready, with TLS or without. Exit code 0: it is; 1: it is not, and one line says why.

    The server is on this machine and gets no secret, so its certificate need not name the address; with --ca, its authority must match.
    """
    address = connection.endpoints(data_dir)["http"]
    tls = _context(ca)
    try:
        status, text = _ask(address, tls) if ca is not None else _either(address, tls)
    except (OSError, http.client.HTTPException) as error:
        print(f"sekisho: {address} does not answer: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(text, file=sys.stdout if status == http.HTTPStatus.OK else sys.stderr)
    raise typer.Exit(0 if status == http.HTTPStatus.OK else 1)


def _context(ca: Path | None) -> ssl.SSLContext:
    """What the server's certificate has to hold; SEKISHO_CLIENT_CERT and SEKISHO_CLIENT_KEY are shown where they are set."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the address is of this machine, and certificates name hosts
    context.verify_mode = ssl.CERT_NONE if ca is None else ssl.CERT_REQUIRED
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError:
            raise ValueError(f"`{ca}` holds no certificate in PEM") from None
        except FileNotFoundError as error:
            raise FileNotFoundError(error.errno, error.strerror, str(ca)) from None
    certificate, key = os.environ.get("SEKISHO_CLIENT_CERT"), os.environ.get("SEKISHO_CLIENT_KEY")
    if certificate and key:
        context.load_cert_chain(certificate, key)
    return context


def _either(address: str, tls: ssl.SSLContext) -> tuple[int, str]:
    """In the clear, and when that is not understood, over TLS: the file of endpoints does not say which it is."""
    try:
        return _ask(address, None)
    except ConnectionRefusedError:
        raise
    except (OSError, http.client.HTTPException) as plain:
        try:
            return _ask(address, tls)
        except ssl.SSLError:
            raise plain from None


def _ask(address: str, tls: ssl.SSLContext | None) -> tuple[int, str]:
    """The status and the text of /readyz."""
    link = http.client.HTTPConnection(address, timeout=TIMEOUT)
    if tls is not None:
        link = http.client.HTTPSConnection(address, timeout=TIMEOUT, context=tls)
    try:
        link.request("GET", "/readyz")
        answer = link.getresponse()
        return answer.status, answer.read(4096).decode(errors="replace").strip()
    finally:
        link.close()
