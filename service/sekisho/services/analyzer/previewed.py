"""The resource of a preview, as it would be: whatever its policy alone decides about. What else decides is refused, not left out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sekisho import arn, policy
from sekisho.api.analyzer.v1 import configurations_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import InvalidArn, MalformedPolicyDocument
from sekisho.journal.analyzers import sources, zones
from sekisho.journal.analyzers.sources import ROLE, Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.policy import validate
from sekisho.policy.validate import Kind
from sekisho.services.analyzer import proposed
from sekisho.services.analyzer.errors import NOT_SUPPORTED, OTHER, Validation
from sekisho.services.analyzer.proposed import Proposed
from sekisho.store.tables import Analyzer

if TYPE_CHECKING:  # a server without the solver does without it
    from sekisho.analysis.solver import Grant


def find_zone(call: Call, row: Analyzer) -> Trusted:
    """The zone of trust of an analyzer of external access that looks."""
    if row.type not in ("ACCOUNT", "ORGANIZATION"):
        raise Validation("Access previews are for analyzers of external access.", NOT_SUPPORTED)
    found = zones.Zones(call.session).of(row)
    if found is None:
        raise Validation("The analyzer is not active.", OTHER)
    return found


class Planned(NamedTuple):
    """The resource as it would be; `written` are how many of its statements are those of a policy."""

    source: Source
    proposed: Proposed
    written: int


def planned(call: Call, trusted: Trusted, given: Mapping[str, pb.Configuration]) -> Planned | None:
    """The resource with the policy that it would have; None where that is not a policy."""
    if len(given) != 1:
        raise Validation("An access preview is about one resource.")
    ((text, configuration),) = given.items()
    try:
        named = arn.parse(text)
    except InvalidArn as error:
        raise Validation(error.message) from None
    wanted = proposed.of(configuration, text)
    existing = sources.get_named(call.session, text, named.account or call.account_id)
    owner = existing.owner if existing is not None else named.account or call.account_id
    if owner not in trusted.accounts:
        raise Validation(f"{text[:256]} is not a resource of the analyzer's zone of trust.", OTHER)
    if (wanted.type == ROLE) != (named.service == "iam" and named.resource.startswith("role/")):
        raise Validation(f"{text[:256]} is not a resource of type {wanted.type}.")
    if wanted.type == ROLE and not (wanted.policy or (wanted.policy is None and existing is not None)):
        raise Validation("A trust policy is required for a role that does not exist.")
    kind = Kind.TRUST if wanted.type == ROLE else Kind.RESOURCE
    document = existing.document if existing is not None else ""
    if wanted.policy is not None:
        if wanted.policy and not _is_valid(wanted.policy, kind):
            return None
        ids = sources.ids_in(wanted.policy)
        document = sources.trusting(wanted.policy, sources.named(call.session, ids)) if wanted.policy and ids else wanted.policy
    whole = proposed.with_statements(wanted, document)
    if wanted.statements and not _is_valid(whole, kind):
        return None
    made = Source(existing.id if existing is not None else text, text, wanted.type, owner, whole)
    return Planned(made, wanted, len(policy.parse(document).statements) if document else 0)


def parted(plan: Planned, grants: "Sequence[Grant]") -> "tuple[list[Grant], list[Grant]]":
    """What a policy grants, and what is granted beside it."""
    written = [one for one in grants if one.statement < plan.written]
    if plan.proposed.is_closed and any(one.is_public for one in written):
        written = []
    return written, [one for one in grants if one.statement >= plan.written]


def _is_valid(document: str, kind: Kind) -> bool:
    try:
        validate.check(document, kind)
    except MalformedPolicyDocument:
        return False
    return True
