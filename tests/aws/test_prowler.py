"""Prowler, unmodified: its checks of IAM find what is wrong with identities and nothing wrong with the others, and find the same again.

It has an environment of its own, which `make campaign` makes. Beside IAM it asks for the organization, for its managed root access and for
EC2's regions; it does without them where they are not served.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.conftest import REGION, Served, left

PROGRAM = Path(sys.prefix) / "prowler" / "bin" / "prowler"
SHIP = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "orders:Ship", "Resource": "*"}]}'
EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
FAILED_FINDING = 3
"""The status that Prowler ends with when a check found something."""

FOUND = {
    ("iam_customer_attached_policy_no_administrative_privileges", "policy/ship-orders", "PASS"),
    ("iam_customer_unattached_policy_no_administrative_privileges", "policy/everything", "FAIL"),
    ("iam_no_root_access_key", "root", "FAIL"),
    ("iam_password_policy_lowercase", "password-policy", "PASS"),
    ("iam_password_policy_minimum_length_14", "password-policy", "PASS"),
    ("iam_password_policy_symbol", "password-policy", "FAIL"),
    ("iam_policy_attached_only_to_group_or_roles", "user/alice", "FAIL"),
    ("iam_policy_attached_only_to_group_or_roles", "user/bob", "PASS"),
    ("iam_user_hardware_mfa_enabled", "user/alice", "FAIL"),
    ("iam_user_hardware_mfa_enabled", "user/bob", "FAIL"),
    ("iam_user_mfa_enabled_console_access", "user/alice", "FAIL"),
    ("iam_user_mfa_enabled_console_access", "user/bob", "PASS"),
    ("iam_user_two_active_access_key", "root", "PASS"),
    ("iam_user_two_active_access_key", "user/alice", "PASS"),
    ("iam_user_two_active_access_key", "user/bob", "FAIL"),
}
"""All findings of these checks: check, resource and result. A new release of Prowler may bring other checks."""

NOT_SERVED = {"DescribeAccount", "DescribeOrganization", "DescribeRegions", "ListOrganizationsFeatures"}
"""Calls that may fail: Prowler notes it and goes on."""

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="Prowler is not here: `make .venv/.prowler` installs its 1.4 GB, before Python 3.14"
)


def find(served: Served, home: Path) -> set[tuple[str, str, str]]:
    """Run every check of IAM; check, resource and result of each finding."""
    home.mkdir()
    log = home / "log"
    where = ["--region", REGION, "--output-directory", str(home), "--log-level", "WARNING", "--log-file", str(log)]
    command = [str(PROGRAM), "aws", "--service", "iam", "--output-formats", "json-ocsf", "--no-banner", "--no-color", *where]
    environment = served.environment(HOME=str(home), AWS_EC2_METADATA_DISABLED="true")
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == FAILED_FINDING, done.stdout + done.stderr
    assert set(re.findall(r"when calling the (\w+) operation", log.read_text())) - NOT_SERVED == set()
    (report,) = home.glob("*.ocsf.json")
    return {
        (finding["metadata"]["event_code"], finding["resources"][0]["uid"].rpartition(":")[2], finding["status_code"])
        for finding in json.loads(report.read_text())
    }


@pytest.fixture
def iam(served: Served) -> Any:
    """A client of boto3 for IAM."""
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    return boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)


def test_the_checks_of_iam_find_what_is_wrong_and_the_same_again(served: Served, iam: Any, tmp_path: Path) -> None:
    ship, everything = (
        iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
        for name, document in {"ship-orders": SHIP, "everything": EVERYTHING}.items()
    )
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=ship)
    iam.create_login_profile(UserName="alice", Password="a-Password-4-alice")
    iam.create_user(UserName="bob")
    keys = [iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"] for _ in range(2)]
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireLowercaseCharacters=True)

    first = find(served, tmp_path / "first")
    checks = {check for check, _, _ in FOUND}
    assert {finding for finding in first if finding[0] in checks} == FOUND
    assert find(served, tmp_path / "again") == first

    iam.delete_account_password_policy()
    iam.delete_login_profile(UserName="alice")
    iam.detach_user_policy(UserName="alice", PolicyArn=ship)
    for key in keys:
        iam.delete_access_key(UserName="bob", AccessKeyId=key)
    for user in ("alice", "bob"):
        iam.delete_user(UserName=user)
    for policy in (ship, everything):
        iam.delete_policy(PolicyArn=policy)
    assert left(served) == []
