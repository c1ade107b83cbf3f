"""The records of one account, page by page: read with a query for each kind of row, not for each record."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.store.tables import Attachment, Entity, Group, InlinePolicy, Membership, Policy, PolicyVersion, Role, Tag, User
from sekisho.world import GroupRecord, PolicyRecord, PrincipalRecord

SIZE = 100
"""Records of a page, at most: with the longest policies about a megabyte."""

KINDS = ("user", "role", "group", "policy")

Found = PrincipalRecord | GroupRecord | PolicyRecord

_TABLES: dict[str, type[User | Role | Group | Policy]] = {"user": User, "role": Role, "group": Group, "policy": Policy}


def load_page(session: Session, account_id: str, kind: str, after: str, size: int = SIZE) -> tuple[list[Found], str]:
    """The records of a kind whose names come after one, in the order of their names, and the last of these names; `""` at the end.

    What they say is what `loaders` would, but for the trust policies of roles: nothing but AssumeRole asks for them.
    """
    table = _TABLES[kind]
    query = select(table).where(table.account_id == account_id, table.name_key > after).order_by(table.name_key).limit(size)
    rows = session.scalars(query).all()
    last = rows[-1].name_key if len(rows) == size else ""
    return list(_policies(session, rows) if kind == "policy" else _owners(session, rows)), last


def _policies(session: Session, rows: Iterable[Entity]) -> Iterator[PolicyRecord]:
    found = {row.id: row for row in rows if isinstance(row, Policy)}
    query = select(PolicyVersion.policy_id, PolicyVersion.number, PolicyVersion.document).where(PolicyVersion.policy_id.in_(found))
    for version in session.execute(query):
        row = found[version.policy_id]
        if version.number == row.default_version:
            named = arn.iam(row.account_id, "policy", row.name, row.path)
            attached = policy.Attached(policy.compiled(version.document), arn=named, version=f"v{version.number}")
            yield PolicyRecord(row.id, named, attached)


def _owners(session: Session, rows: Sequence[Entity]) -> Iterator[Found]:
    ids = [row.id for row in rows]
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    for tag in session.execute(select(Tag.owner_id, Tag.key, Tag.value).where(Tag.owner_id.in_(ids)).order_by(Tag.key)):
        tags[tag.owner_id][tag.key] = tag.value
    inline: dict[str, list[policy.Attached]] = defaultdict(list)
    documents = select(InlinePolicy.owner_id, InlinePolicy.name, InlinePolicy.document).where(InlinePolicy.owner_id.in_(ids))
    for one in session.execute(documents.order_by(InlinePolicy.name_key)):
        inline[one.owner_id].append(policy.Attached(policy.compiled(one.document), name=one.name))
    attached: dict[str, list[str]] = defaultdict(list)
    attachments = select(Attachment.owner_id, Attachment.policy_id).where(Attachment.owner_id.in_(ids))
    for attachment in session.execute(attachments.order_by(Attachment.created_at, Attachment.policy_id)):
        attached[attachment.owner_id].append(attachment.policy_id)
    groups: dict[str, list[str]] = defaultdict(list)
    for member in session.execute(select(Membership).where(Membership.user_id.in_(ids)).order_by(Membership.group_id)).scalars():
        groups[member.user_id].append(member.group_id)
    for row in rows:
        if isinstance(row, Group):
            yield GroupRecord(row.id, tuple(inline[row.id]), tuple(attached[row.id]))
        elif isinstance(row, User | Role):
            kind = "user" if isinstance(row, User) else "role"
            yield PrincipalRecord(
                id=row.id,
                account_id=row.account_id,
                kind=kind,
                name=row.name,
                arn=arn.iam(row.account_id, kind, row.name, row.path),
                tags=dict(tags[row.id]),
                inline=tuple(inline[row.id]),
                policy_ids=tuple(attached[row.id]),
                group_ids=tuple(groups[row.id]),
                boundary_id=row.boundary_id,
                max_session_seconds=row.max_session_seconds if isinstance(row, Role) else 3600,
            )
