"""The order of test files: those that take longest come first, so that at the end of a run no process waits for another's long file.

The processes of `make test` take the files one by one, whole: what a module's tests share is made once.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONGEST = (
    "aws/test_cli.py",
    "faults/test_workers.py",
    "policy/test_adversaries.py",
    "faults/test_renewal.py",
    "faults/test_standby.py",
    "faults/test_ledger.py",
    "migrations/test_releases.py",
    "node/test_certificates.py",
    "test_dockerfile.py",
    "concurrency/test_writers.py",
    "cli/test_serve.py",
    "aws/test_boto3.py",
    "memory/test_consistency.py",
    "policy/test_algebra.py",
    "policy/test_algebra_reasons.py",
    "policy/test_agreement.py",
    "node/test_metrics.py",
    "services/iam/test_service_access.py",
    "world/test_agreement.py",
    "memory/test_history.py",
    "memory/test_new_enemy.py",
    "concurrency/test_quotas.py",
    "cli/test_first_minutes.py",
    "calls/test_injected.py",
    "calls/test_findings.py",
    "aws/test_organizations_story.py",
    "services/organizations/test_races.py",
    "services/organizations/test_memory.py",
)
"""Those that take more than ten seconds of the clock beside two others, by `make test ARGS=--costs`, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file, and among the others, nothing moves."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
