"""Filters as requests bring them, checked and kept as JSON."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from sekisho.api.analyzer.v1 import criteria_pb2 as pb
from sekisho.journal.analyzers import filters
from sekisho.services.analyzer import quotas
from sekisho.services.analyzer.errors import Validation


def plain(given: Mapping[str, pb.Criterion]) -> dict[str, Any]:
    """A filter as JSON of the API; Validation for a property that findings have not, or a criterion that asks nothing."""
    if len(given) > quotas.PROPERTIES:
        raise Validation(f"A filter can name up to {quotas.PROPERTIES} properties.")
    found = {}
    for name in sorted(given):
        if not filters.is_property(name):
            raise Validation(f"{name[:128]} is not a valid filter key.")
        found[name] = dict(MessageToDict(given[name], preserving_proto_field_name=True))
        if not found[name]:
            raise Validation(f"The filter criterion for {name[:128]} is empty.")
        if any(len(values) > quotas.VALUES for values in found[name].values() if isinstance(values, list)):
            raise Validation(f"The filter criterion for {name[:128]} has more than {quotas.VALUES} values.")
    return found


def messages(held: Mapping[str, Any]) -> dict[str, pb.Criterion]:
    """A filter as answers show it."""
    return {name: pb.Criterion(**criterion) for name, criterion in held.items()}
