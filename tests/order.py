"""The order of test files: those that take longest come first, so that at the end of a run no process waits for another's long file.

The processes of `make test` take the files one by one, whole: what a module's tests share is made once.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONGEST = (
    "faults/test_workers.py",
    "migrations/test_releases.py",
    "faults/test_standby.py",
    "test_dockerfile.py",
    "cli/test_first_minutes.py",
    "services/analyzer/test_policy_generations.py",
    "aws/test_organizations_story.py",
    "wire/test_attacks.py",
    "faults/test_renewal.py",
    "aws/test_cli.py",
    "memory/test_history.py",
    "wire/test_round_trip.py",
    "calls/test_injected.py",
    "services/cloudtrail/test_queries.py",
    "client/local/test_agreement.py",
    "calls/test_findings.py",
    "edges/grpc/test_bad_input.py",
    "cli/test_serve.py",
    "test_postgres.py",
    "client/local/test_authorizer.py",
    "faults/test_ledger.py",
    "concurrency/test_writers.py",
    "aws/test_boto3.py",
    "services/insight/test_escalation_freed.py",
    "node/test_retiring.py",
    "services/organizations/test_memory.py",
    "faults/test_rotations.py",
    "migrations/test_schema.py",
    "analysis/solver/test_soundness.py",
    "aws/test_access_analyzer_story.py",
    "memory/test_new_enemy.py",
    "node/test_canaries.py",
    "services/sts/test_token_equality.py",
    "journal/analyzers/test_scanning.py",
    "services/authorize/test_subjects.py",
    "memory/test_consistency.py",
    "node/test_certificates.py",
    "services/analyzer/test_organizations.py",
    "services/organizations/test_root_access.py",
    "edges/http/test_issuers.py",
    "policy/test_adversaries.py",
    "policy/test_algebra.py",
    "policy/test_agreement.py",
    "node/test_metrics.py",
    "concurrency/test_quotas.py",
    "services/organizations/test_races.py",
    "policy/test_algebra_reasons.py",
    "services/iam/test_service_access.py",
)
"""Those that take more than ten seconds of the clock beside two others, by `make test ARGS=--costs`, the longest first."""


def sort(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file, and among the others, nothing moves."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
