"""The organization of the caller's account, as far as its analyzers go.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-delegated-administrator.html
"""

from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.journal.analyzers import zones
from sekisho.services.analyzer.errors import OTHER, Validation
from sekisho.store.tables import Organization


def find_administered(call: Call) -> Organization:
    """The organization whose analyzers the caller's account may make; Validation for what stands against it."""
    found = affiliation.get_alone(call)
    if found is None:
        raise Validation("The account is not a member of an organization.", OTHER)
    if not zones.is_trusted(call.session, found.id):
        raise Validation("Trusted access for IAM Access Analyzer is not enabled in the organization.", OTHER)
    if not zones.is_administrator(call.session, found, call.account_id):
        raise Validation("Only the management account or a delegated administrator can create an analyzer for an organization.", OTHER)
    return found
