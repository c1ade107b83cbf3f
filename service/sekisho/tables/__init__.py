"""The whole schema, a file per domain. Alembic compares with `Base.metadata` as it is after this import."""

from sekisho.db import Base
from sekisho.tables.access_keys import AccessKey
from sekisho.tables.accounts import Account
from sekisho.tables.changes import Change, Revision
from sekisho.tables.entities import Entity, Group, Membership, Role, Root, User
from sekisho.tables.policies import Attachment, InlinePolicy, Policy, PolicyVersion
from sekisho.tables.tags import Tag
from sekisho.tables.trail import AuditRecord

__all__ = [
    "AccessKey",
    "Account",
    "Attachment",
    "AuditRecord",
    "Base",
    "Change",
    "Entity",
    "Group",
    "InlinePolicy",
    "Membership",
    "Policy",
    "PolicyVersion",
    "Revision",
    "Role",
    "Root",
    "Tag",
    "User",
]
