"""Operations of services that are not here yet, so that the frame for them can be tried: a registry entry without a function."""

from collections.abc import Iterable

from sekisho.operations import Operation, Service
from sekisho.operations.annotations import Access, Identity
from tests.wire import shapes

_PROTOCOLS = {"query": Identity.QUERY, "json": Identity.JSON, "rest-json": Identity.REST_JSON}


def operations(name: str, names: Iterable[str]) -> list[Operation]:
    """As the registry would have them, of the service that has this name in botocore."""
    service = _service(name)
    return [
        Operation(
            service=service,
            name=name,
            request=request,
            response=response,
            access=Access(level=Access.READ),
            function=lambda call, request: None,
            checks=(),
        )
        for name, (request, response) in shapes.protos(service.model, names).items()
    ]


def _service(name: str) -> Service:
    model = shapes.model(name)
    return Service(
        package=name.replace("-", "_"),
        full_name=f"tests.{name}",
        model=name,
        prefix=name,
        signing_name=model.signing_name,
        event_source=f"{name}.amazonaws.com",
        protocol=_PROTOCOLS[model.metadata["protocol"]],
    )
