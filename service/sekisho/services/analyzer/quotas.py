"""How much an account may have. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-quotas.html"""

ANALYZERS = {
    "ACCOUNT": 1,
    "ORGANIZATION": 5,
    "ACCOUNT_UNUSED_ACCESS": 1,
    "ORGANIZATION_UNUSED_ACCESS": 5,
    "ACCOUNT_INTERNAL_ACCESS": 1,
    "ORGANIZATION_INTERNAL_ACCESS": 5,
}
"""Analyzers of an account, by type."""

ARCHIVE_RULES = 100
"""Of an analyzer."""

PROPERTIES = 20
"""Of a finding that a filter names."""

VALUES = 20
"""Of a criterion."""

PREVIEWS = 1000
"""Made in an hour, of an account."""

GENERATIONS = 1
"""Policies that are made at once, of an account."""

GENERATIONS_A_DAY = 50
"""Policies that are begun in a day, of an account."""

TAGS = 50
"""Of an analyzer."""

IDS = 100
"""Findings that one UpdateFindings names."""

SCANS = 1000
"""Resources of an account that wait to be looked at because somebody asked."""

PAGE = 100
"""Of a list whose request does not say how many it wants, and at most."""
