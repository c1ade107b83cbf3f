"""The worker that scans for analyzers is killed in the middle: another goes on, and what is found is found once."""

import os
import re
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.faults.test_workers import serving_workers, until
from tests.served import Served, serving
from tests.services.analyzer.conftest import with_condition
from tests.services.iam.documents import trust

pytestmark = pytest.mark.faults
ROLES = 60


def scans(served: Served) -> int | None:
    """The number of the worker that scans."""
    with urlopen(f"http://{served.endpoints['http']}/metrics", timeout=60) as answer:  # of a server of our own
        found = re.search(r'^sekisho_analyzer_scanning\{worker="(\d+)"\} 1(\.0)?$', answer.read().decode(), re.MULTILINE)
    return int(found[1]) if found is not None else None


def found(served: Served, arn: str) -> list[str]:
    """The names of the roles that were found, each as often as it was."""
    listed, token = [], ""
    while True:
        page = served.call("ListFindings", analyzer_arn=arn, next_token=token or None)
        listed += [one.resource.rpartition("/")[2] for one in page.findings if one.status == "ACTIVE"]
        token = page.next_token
        if not token:
            return sorted(listed)


def create(served: Served, number: int) -> None:
    """A role with a policy like no other's, tried again when the worker is gone."""
    document = with_condition(trust("*"), {"StringEquals": {"sts:ExternalId": f"customer-{number}"}})
    for _ in range(20):
        try:
            served.call("CreateRole", role_name=f"role-{number}", assume_role_policy_document=document)
        except AssertionError as error:  # which has the words of the answer
            if "EntityAlreadyExists" in str(error) or "already exists" in str(error):
                return
            time.sleep(0.1)
        else:
            return
    raise AssertionError("nobody answers")


def test_another_worker_goes_on(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path, workers=2) as served:
        arn = served.call("CreateAnalyzer", analyzer_name="main", type="ACCOUNT").arn
        before = until(lambda: scans(served) is not None and serving_workers(served.log)[scans(served) or 0], "nobody scans")
        for number in range(ROLES):
            create(served, number)
            if number == ROLES // 2:
                os.kill(before, signal.SIGKILL)
        wanted = sorted(f"role-{number}" for number in range(ROLES))
        until(lambda: found(served, arn) == wanted, "not all are found, or some twice")
        assert served.stop() == 0
