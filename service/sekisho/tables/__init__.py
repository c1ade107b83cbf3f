"""The whole schema, a file per domain. Alembic compares with `Base.metadata` as it is after this import."""

from sekisho.db import Base
from sekisho.tables.access_keys import AccessKey
from sekisho.tables.accesses import Access, AccessReport
from sekisho.tables.accounts import Account, AccountAlias, QuotaOverride
from sekisho.tables.certificates import ServerCertificate, SigningCertificate
from sekisho.tables.changes import Change, Revision
from sekisho.tables.entities import Entity, Group, Membership, Role, Root, User
from sekisho.tables.instance_profiles import InstanceProfile
from sekisho.tables.mfa_devices import MfaDevice
from sekisho.tables.passwords import LoginProfile, PasswordHistory, PasswordPolicy
from sekisho.tables.policies import Attachment, InlinePolicy, Policy, PolicyOrigin, PolicyVersion
from sekisho.tables.providers import OpenIdConnectProvider, SamlPrivateKey, SamlProvider
from sekisho.tables.reports import CredentialReport, DeletionTask
from sekisho.tables.tags import Tag
from sekisho.tables.trail import AuditRecord
from sekisho.tables.user_credentials import ServiceCredential, SshPublicKey

__all__ = [
    "Access",
    "AccessKey",
    "AccessReport",
    "Account",
    "AccountAlias",
    "Attachment",
    "AuditRecord",
    "Base",
    "Change",
    "CredentialReport",
    "DeletionTask",
    "Entity",
    "Group",
    "InlinePolicy",
    "InstanceProfile",
    "LoginProfile",
    "Membership",
    "MfaDevice",
    "OpenIdConnectProvider",
    "PasswordHistory",
    "PasswordPolicy",
    "Policy",
    "PolicyOrigin",
    "PolicyVersion",
    "QuotaOverride",
    "Revision",
    "Role",
    "Root",
    "SamlPrivateKey",
    "SamlProvider",
    "ServerCertificate",
    "ServiceCredential",
    "SigningCertificate",
    "SshPublicKey",
    "Tag",
    "User",
]
