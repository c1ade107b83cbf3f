"""Names and ARNs of analyzers and their archive rules, and the resources that policies see of them."""

import re
from typing import NamedTuple

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.journal.analyzers import zones
from sekisho.operations import Resource, resource
from sekisho.services.analyzer.errors import ResourceNotFound
from sekisho.store.tables import Analyzer, AnalyzerTag

ANALYZER, RULE = "Analyzer", "ArchiveRule"
"""Types of resources, as errors say them."""

KEPT = frozenset(("GetAnalyzer", "DeleteAnalyzer", "ListTagsForResource", "TagResource", "UntagResource"))
"""Operations that an account has on its analyzer of an organization even when it administers that no more: it sees that it stopped, and
why, and can be rid of it. All others tell, or decide, what was found in other accounts, or would once it looks again.
"""

_ARN = re.compile(r"arn:aws:access-analyzer:([a-z0-9-]+):([0-9]{12}):analyzer/([A-Za-z_][A-Za-z0-9_.-]{0,254})")


class Named(NamedTuple):
    """The analyzer that an ARN names."""

    region: str
    account_id: str
    name: str


def get_named(text: str) -> Named | None:
    """The analyzer of an ARN; None for what is not the ARN of one."""
    found = _ARN.fullmatch(text)
    return Named(*found.groups()) if found is not None else None


def arn_of(row: Analyzer) -> str:
    """The ARN of an analyzer."""
    return arn.access_analyzer(row.account_id, row.name)


def find(call: Call, text: str) -> Analyzer:
    """The analyzer of the caller's account that a name or an ARN names, or ResourceNotFound. AccessDenied where the account has no say in
    its organization any more, but for the operations of `KEPT`.
    """
    row = get(call, text)
    if row is None:
        raise ResourceNotFound(f"Analyzer {text[:256]} does not exist.", text[:256], ANALYZER)
    if call.operation.name not in KEPT and not zones.is_shown(call.session, row):
        raise AccessDenied(f"The account {call.account_id} no longer administers IAM Access Analyzer of the organization of {arn_of(row)}.")
    return row


def get(call: Call, text: str) -> Analyzer | None:
    """The same, or None."""
    name = text
    if text.startswith("arn:"):
        named = get_named(text)
        if named is None or (named.region, named.account_id) != (arn.REGION, call.account_id):
            return None
        name = named.name
    query = select(Analyzer).where(Analyzer.account_id == call.account_id, Analyzer.name == name, Analyzer.deleted_at.is_(None))
    return call.session.scalars(query.execution_options(populate_existing=not call.reads)).one_or_none()


@resource("analyzer")
def analyzer(call: Call, request: Message, field: str) -> Resource:
    """An analyzer by name or ARN. It counts as the caller's account's own: the ARN of another account's leads to nothing."""
    return _of(call, getattr(request, field))


@resource("archive-rule")
def archive_rule(call: Call, request: Message, field: str) -> Resource:
    """An archive rule, whose ARN begins with that of its analyzer."""
    text = getattr(request, "analyzer_arn" if "analyzer_arn" in request.DESCRIPTOR.fields_by_name else "analyzer_name")
    found = _of(call, text)
    return Resource(f"{found.arn}/archive-rule/{getattr(request, field)}", owner=call.account_id)


def _of(call: Call, text: str) -> Resource:
    if text.startswith("arn:"):
        named = get_named(text)
        if named is None:
            return Resource(text, owner=call.account_id)
        own = named.account_id == call.account_id
        return Resource(text, _tags(call, named.name) if own else {}, owner=call.account_id)
    return Resource(arn.access_analyzer(call.account_id, text), _tags(call, text), owner=call.account_id)


def _tags(call: Call, name: str) -> dict[str, str]:
    query = select(AnalyzerTag.key, AnalyzerTag.value).join(Analyzer, Analyzer.id == AnalyzerTag.analyzer_id)
    rows = call.session.execute(query.where(Analyzer.account_id == call.account_id, Analyzer.name == name))
    return {row.key: row.value for row in rows}
