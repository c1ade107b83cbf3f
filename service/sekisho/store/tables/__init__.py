"""The whole schema, a file per domain. Alembic compares with `Base.metadata` as it is after this import."""

from sekisho.store.db import Base
from sekisho.store.tables.access_keys import AccessKey
from sekisho.store.tables.accesses import Access, AccessReport, OrganizationAccessReport
from sekisho.store.tables.accounts import (
    Account,
    AccountAlias,
    AccountContact,
    AccountPreference,
    AccountRegion,
    EntityCount,
    QuotaOverride,
)
from sekisho.store.tables.analyzers import (
    AccessFinding,
    AccessPreview,
    AnalyzedResource,
    Analyzer,
    AnalyzerTag,
    ArchiveRule,
    FindingRecommendation,
    PolicyGeneration,
    ScanRequest,
    ScanTurn,
)
from sekisho.store.tables.certificates import ServerCertificate, SigningCertificate
from sekisho.store.tables.changes import Change, Revision
from sekisho.store.tables.entities import Entity, Group, Membership, Role, Root, User
from sekisho.store.tables.instance_profiles import InstanceProfile
from sekisho.store.tables.issuers import Issuer, IssuerKey, IssuerPrivateKey
from sekisho.store.tables.mfa_devices import Authenticator, MfaDevice, ProofFailure
from sekisho.store.tables.organizations import (
    AccountEmail,
    AccountRequest,
    Administrator,
    Handshake,
    Member,
    Organization,
    OrganizationFeature,
    OrganizationPolicy,
    OrganizationResourcePolicy,
    OrganizationTag,
    PolicyType,
    Target,
    TrustedService,
    Unit,
)
from sekisho.store.tables.passwords import LoginProfile, PasswordHistory, PasswordPolicy
from sekisho.store.tables.policies import Attachment, InlinePolicy, Policy, PolicyOrigin, PolicyVersion
from sekisho.store.tables.providers import OpenIdConnectProvider, SamlPrivateKey, SamlProvider
from sekisho.store.tables.reports import CredentialReport, DeletionTask
from sekisho.store.tables.resources import DefinedService, RegisteredResource, ResourceCount, ResourceService, ResourceTag
from sekisho.store.tables.tags import Tag
from sekisho.store.tables.trail import (
    AuditRecord,
    TrailAnchor,
    TrailCheckpoint,
    TrailCursor,
    TrailKey,
    TrailLink,
    TrailResource,
    TrailRetention,
)
from sekisho.store.tables.trail_files import TrailDigest, TrailFile, TrailSpan
from sekisho.store.tables.trails import EventDataStore, EventQuery, EventQueryPage, Trail, TrailTag
from sekisho.store.tables.used_signatures import UsedSignature
from sekisho.store.tables.user_credentials import ServiceCredential, SshPublicKey

__all__ = [
    "Access",
    "AccessFinding",
    "AccessKey",
    "AccessPreview",
    "AccessReport",
    "Account",
    "AccountAlias",
    "AccountContact",
    "AccountPreference",
    "AccountEmail",
    "AccountRegion",
    "AccountRequest",
    "Administrator",
    "AnalyzedResource",
    "Analyzer",
    "AnalyzerTag",
    "ArchiveRule",
    "Attachment",
    "AuditRecord",
    "Authenticator",
    "Base",
    "Change",
    "CredentialReport",
    "DefinedService",
    "DeletionTask",
    "Entity",
    "EntityCount",
    "EventDataStore",
    "EventQuery",
    "EventQueryPage",
    "FindingRecommendation",
    "Group",
    "Handshake",
    "InlinePolicy",
    "InstanceProfile",
    "Issuer",
    "IssuerKey",
    "IssuerPrivateKey",
    "LoginProfile",
    "Member",
    "Membership",
    "MfaDevice",
    "OpenIdConnectProvider",
    "Organization",
    "OrganizationAccessReport",
    "OrganizationFeature",
    "OrganizationPolicy",
    "OrganizationResourcePolicy",
    "OrganizationTag",
    "PasswordHistory",
    "PasswordPolicy",
    "Policy",
    "PolicyGeneration",
    "PolicyOrigin",
    "PolicyType",
    "PolicyVersion",
    "ProofFailure",
    "QuotaOverride",
    "RegisteredResource",
    "ResourceCount",
    "ResourceService",
    "ResourceTag",
    "Revision",
    "Role",
    "Root",
    "SamlPrivateKey",
    "SamlProvider",
    "ScanRequest",
    "ScanTurn",
    "ServerCertificate",
    "ServiceCredential",
    "SigningCertificate",
    "SshPublicKey",
    "Tag",
    "Target",
    "Trail",
    "TrailAnchor",
    "TrailCheckpoint",
    "TrailCursor",
    "TrailDigest",
    "TrailFile",
    "TrailKey",
    "TrailLink",
    "TrailResource",
    "TrailRetention",
    "TrailSpan",
    "TrailTag",
    "TrustedService",
    "Unit",
    "UsedSignature",
    "User",
]
