"""What an analyzer is told beside its type.

Source: https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_UnusedAccessConfiguration.html and
API_InternalAccessAnalysisRuleCriteria.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from sekisho import arn
from sekisho.api.analyzer.v1 import analyzers_pb2 as pb
from sekisho.services.analyzer.errors import Validation
from sekisho.world import resources

WITHOUT = ("ACCOUNT", "ORGANIZATION")
"""Types of analyzers that are told nothing."""
PROVING = (*WITHOUT, "ACCOUNT_INTERNAL_ACCESS", "ORGANIZATION_INTERNAL_ACCESS")
"""Types of analyzers that take the solver."""

USUAL_AGE, LONGEST_AGE = 90, 365
"""Days after which access counts as unused."""

MOST_ACCOUNTS, MOST_TAGS, MOST_RULES, MOST_ARNS = 2000, 100, 100, 500
"""Of an analysis rule."""

Held = Mapping[str, Any]


def of(type_: str, asked: pb.AnalyzerConfiguration) -> Held:
    """The configuration to be kept, as JSON of the message; Validation for one that does not go with the type."""
    has = [name for name in ("unused_access", "internal_access") if asked.HasField(name)]
    wanted = "unused_access" if type_.endswith("UNUSED_ACCESS") else "internal_access" if type_.endswith("INTERNAL_ACCESS") else ""
    if set(has) - {wanted}:
        raise Validation(f"The configuration is not one of an analyzer of type {type_}.")
    if not wanted:
        return {}
    of_organization = type_.startswith("ORGANIZATION")
    made = pb.AnalyzerConfiguration()
    if wanted == "internal_access":
        _refuse_inclusions(asked.internal_access.analysis_rule, of_organization=of_organization)
        made.internal_access.CopyFrom(asked.internal_access)
        return dict(MessageToDict(made, preserving_proto_field_name=True))
    unused = asked.unused_access
    age = unused.unused_access_age if unused.HasField("unused_access_age") else USUAL_AGE
    if not 1 <= age <= LONGEST_AGE:
        raise Validation(f"unusedAccessAge must be from 1 to {LONGEST_AGE} days.")
    _refuse_rule(unused.analysis_rule, of_organization=of_organization)
    made.unused_access.CopyFrom(unused)
    made.unused_access.unused_access_age = age
    return dict(MessageToDict(made, preserving_proto_field_name=True))


def refuse_other_age(before: Held, now: Held) -> None:
    """Validation for another age of unused access than an analyzer was made with, which AWS does not change either."""
    if "unused_access" in before and now["unused_access"]["unused_access_age"] != before["unused_access"]["unused_access_age"]:
        raise Validation("unusedAccessAge cannot be changed.")


def _refuse_rule(rule: pb.AnalysisRule, *, of_organization: bool) -> None:
    """Validation for exclusions that leave out nothing, or more than they can."""
    if len(rule.exclusions) > MOST_RULES:
        raise Validation(f"An analysis rule has up to {MOST_RULES} exclusions.")
    for exclusion in rule.exclusions:
        if not exclusion.account_ids and not exclusion.resource_tags:
            raise Validation("An exclusion names accounts or tags.")
        _refuse_accounts("An exclusion", exclusion.account_ids, of_organization=of_organization)
        if len(exclusion.resource_tags) > MOST_TAGS:
            raise Validation(f"An exclusion names up to {MOST_TAGS} sets of tags.")


def _refuse_inclusions(rule: pb.InternalAccessAnalysisRule, *, of_organization: bool) -> None:
    """Validation for inclusions that name nothing, or more than they can."""
    if len(rule.inclusions) > MOST_RULES:
        raise Validation(f"An analysis rule has up to {MOST_RULES} inclusions.")
    for inclusion in rule.inclusions:
        if not (inclusion.account_ids or inclusion.resource_types or inclusion.resource_arns):
            raise Validation("An inclusion names accounts, types of resources or resources.")
        _refuse_accounts("An inclusion", inclusion.account_ids, of_organization=of_organization)
        if len(inclusion.resource_arns) > MOST_ARNS:
            raise Validation(f"An inclusion names up to {MOST_ARNS} resources.")
        if not all(map(resources.is_registrable, inclusion.resource_arns)):
            raise Validation("An inclusion names resources by their ARNs, which have no wildcards.")


def _refuse_accounts(what: str, ids: Sequence[str], *, of_organization: bool) -> None:
    """Validation for accounts that an exclusion or inclusion cannot name."""
    if ids and not of_organization:
        raise Validation(f"{what} names accounts in analyzers of an organization alone.")
    if len(ids) > MOST_ACCOUNTS:
        raise Validation(f"{what} names up to {MOST_ACCOUNTS} accounts.")
    if not all(map(arn.is_account_id, ids)):
        raise Validation(f"{what} names accounts by their twelve digits.")
