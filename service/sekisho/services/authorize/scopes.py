"""The resources that a question about many is about: those of a type, or those that a pattern names, and who owns them.

The pattern of a type is made of the formats of its ARNs, with a wildcard for each of their variables. A pattern is read segment by segment,
as ArnLike has it. Where nobody says who owns the resources, it is the account that stands in the pattern; where there is none, or a star,
the caller's own, and the star is that account: the owner of others would be another.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sekisho import arn
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.calls import service_definitions
from sekisho.calls.call import Call
from sekisho.errors import InvalidArgument, NotFound
from sekisho.policy import patterns
from sekisho.policy.residual import ARN, Shape, automaton, shapes
from sekisho.services.authorize import looks
from sekisho.world import AWS

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_NO_SERVICE = re.compile(r"[*?]")


class InvalidScope(InvalidArgument):
    """The resources that a question is about cannot be told from what it says."""


class NoSuchResourceType(NotFound):
    """No definition of a service has the type."""


class Scope(NamedTuple):
    """The shapes of the ARNs, and the account that owns all of the resources."""

    shapes: tuple[Shape, ...]
    owner: str

    def services(self, known: Iterable[str]) -> list[str]:
        """Those of some services that the resources could be of."""
        return sorted(name for name in known if any(automaton(_of_service(name)).meets(shape) for shape in self.shapes))


def read(call: Call, request: pb.PlanResourcesRequest | pb.ListAllowedResourcesRequest, owner: str = "") -> Scope:
    """The scope of a request; `owner` is what it says of who owns the resources."""
    if owner and not arn.is_account_id(owner):
        raise InvalidScope(f"`{owner}` is not an account id")
    kind = request.WhichOneof("scope")
    if kind is None:
        raise InvalidScope("say which resources the question is about: a type, or a pattern of ARNs")
    texts = (request.resource_pattern,) if kind == "resource_pattern" else _of_type(call, request.resource_type)
    found = [_of_pattern(call, text, owner) for text in texts]
    if len({scope.owner for scope in found}) != 1:
        raise InvalidScope(f"resources of the type `{request.resource_type}` are of several accounts; give a pattern")
    return Scope(tuple(shape for scope in found for shape in scope.shapes), found[0].owner)


def _of_type(call: Call, named: str) -> list[str]:
    """The formats of a type's ARNs as patterns."""
    service, _, type_ = named.partition(":")
    if "\0" in service:
        raise InvalidScope("the type holds a character that no service has")
    loaded, _ = looks.both(
        call, f"{call.account_id}:{service}", lambda session, _: service_definitions.load_definitions(session, call.account_id, (service,))
    )
    definition = loaded.get(service.lower())
    found = definition.get_resource(type_) if definition is not None else None
    if found is None or not found.arn_formats:
        raise NoSuchResourceType(f"No service that is defined here has resources of the type `{named}`.")
    return [_VARIABLE.sub("*", text.replace("${Partition}", arn.PARTITION, 1)) for text in found.arn_formats]


def _of_pattern(call: Call, text: str, owner: str) -> Scope:
    if "\0" in text:  # PostgreSQL has no such character, and could not even be asked
        raise InvalidScope("the pattern holds a character that no ARN has")
    segments = text.split(":", 5)
    if len(segments) < 6 or segments[0] != "arn" or not segments[5]:
        raise InvalidScope(f"`{text[:128]}` is not a pattern of ARNs: it has not six segments")
    if _NO_SERVICE.search(segments[2]):
        raise InvalidScope(f"`{text[:128]}` does not say of which service the resources are")
    account = segments[4]
    if account not in ("", "*", AWS) and not arn.is_account_id(account):
        raise InvalidScope(f"`{text[:128]}` has an account that is neither an account id nor `*` nor empty")
    if not owner:
        owner = account if arn.is_account_id(account) else call.account_id
        if account == "*":
            segments[4] = owner
    shape = shapes.of_arn(patterns.tokens(":".join(segments)))
    if shape is None or not automaton(ARN).covers(shape) or shapes.gaps(shape) > _MOST_GAPS or shapes.least(shape) > arn.MAX_LENGTH:
        raise InvalidScope(f"`{text[:128]}` is not a pattern of ARNs, or has more than {_MOST_GAPS} wildcards")
    return Scope((shape,), owner)


_MOST_GAPS = 16


def _of_service(name: str) -> Shape:
    return shapes.normal(("arn:", shapes.RUN, f":{name}:", shapes.ANY))
