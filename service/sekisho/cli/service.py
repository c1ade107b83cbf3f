"""`sekisho service`: the definitions of services, in the shape of AWS's service reference."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.api.catalog.v1.client import CatalogClient
    from sekisho.policy.definitions import ServiceDefinition

app = typer.Typer(name="service", no_args_is_help=True, rich_markup_mode=None, help="Definitions of services.")

_MOST = 16 * 1024 * 1024
"""Bytes of a file: AWS's largest have some two million, most of which a definition does not keep."""

Name = Annotated[str, typer.Argument(help="What stands before the colon of its actions, such as `orders`.")]


@app.callback()
def service() -> None:
    """Definitions of services, in the shape of AWS's service reference."""


@app.command()
@connection.asking
def put(
    files: Annotated[list[Path], typer.Argument(help="Definitions, as JSON; AWS's own service-reference files are such.")],
    *,
    at: Asked,
) -> None:
    """Register definitions, each in the place of the one that the account has of the service."""
    from sekisho.policy import definitions

    made = [read(file) for file in files]
    with connection.connect(at) as (client, _):
        for one in screen.tracked(made, "registering"):
            client.catalog.put_service_definition(service_name=one.name, definition=definitions.write(one))
            print(f"{one.name}: {len(one.actions)} actions, {len(one.resources)} resource types, {len(one.keys)} condition keys")


@app.command()
@connection.asking
def get(
    name: Name,
    *,
    at: Asked,
) -> None:
    """Print the definition of a service, of the account's or of the server's own."""
    with connection.connect(at) as (client, _):
        found = client.catalog.get_service_definition(service_name=name)
        print(json.dumps(json.loads(found.definition), indent=2, ensure_ascii=False))


@app.command(name="list")
@connection.asking
def list_(
    *,
    at: Asked,
) -> None:
    """List the services that have a definition, a line each: the account's, and the server's own."""
    with connection.connect(at) as (client, _):
        for one in _every(client.catalog):
            own = "  (built in)" if one.built_in else ""
            print(f"{one.service_name}  {one.actions} actions, {one.resource_types} types, {one.condition_keys} keys{own}")


@app.command()
@connection.asking
def delete(
    name: Name,
    *,
    at: Asked,
) -> None:
    """Take a definition away. Nothing is decided otherwise without it."""
    with connection.connect(at) as (client, _):
        client.catalog.delete_service_definition(service_name=name)
        print(f"{name}: deleted")


def read(file: Path) -> "ServiceDefinition":
    """The definition in a file; ValueError, which names the file, where it is none."""
    from sekisho.policy import definitions

    with file.open("rb") as opened:
        content = opened.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(f"{file} has more than {_MOST} bytes")
    try:
        return definitions.read(content.decode(), most=_MOST)
    except (UnicodeDecodeError, definitions.InvalidServiceDefinition) as error:
        raise ValueError(f"{file}: {error}") from None


def of_files(places: "Sequence[Path]") -> "Mapping[str, ServiceDefinition]":
    """The definitions in files, and in all files named ….json of folders, beside those of this program's own services, by prefix."""
    from sekisho.operations import definitions as own

    files = [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    return {**own.own(), **{one.name: one for one in map(read, files)}}


def of_catalog(catalog: "CatalogClient") -> "Mapping[str, ServiceDefinition]":
    """All definitions that a server has for the caller's account, by prefix."""
    from sekisho.policy import definitions

    names = [one.service_name for one in _every(catalog)]
    texts = {name: catalog.get_service_definition(service_name=name).definition for name in screen.tracked(names, "reading the catalog")}
    return {name: definitions.read(text, most=_MOST) for name, text in texts.items()}


def _every(catalog: "CatalogClient") -> "Iterator[Any]":
    token: str | None = None
    while True:
        page = catalog.list_service_definitions(next_token=token)
        yield from page.services
        if not page.HasField("next_token"):
            return
        token = page.next_token
