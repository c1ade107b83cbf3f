"""Identities and their policies, as AWS IAM (2010-05-08) has them: one function an rpc, in a module named by its noun."""

from sekisho.iam import (
    access_keys,
    attachments,
    boundaries,
    groups,
    inline_policies,
    memberships,
    policies,
    policy_arns,
    policy_versions,
    roles,
    tags,
    users,
)

__all__ = [
    "access_keys",
    "attachments",
    "boundaries",
    "groups",
    "inline_policies",
    "memberships",
    "policies",
    "policy_arns",
    "policy_versions",
    "roles",
    "tags",
    "users",
]
