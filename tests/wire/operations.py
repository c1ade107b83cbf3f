"""Operations of services that are not here yet, so that the frame for them can be tried: a registry entry without a function."""

from collections.abc import Iterable

from sekisho.operations import Operation
from sekisho.operations.annotations import Access
from tests.wire import shapes


def operations(service: str, names: Iterable[str]) -> list[Operation]:
    """As the registry would have them."""
    return [
        Operation(
            service=service.replace("-", "_"),
            name=name,
            path=f"/tests/{name}",
            request=request,
            response=response,
            access=Access(level=Access.READ),
            function=lambda call, request: None,
            checks=(),
        )
        for name, (request, response) in shapes.protos(service, names).items()
    ]
