"""Cloud Custodian, unmodified: it finds users, groups and roles by what they are and have, finds the same again, and removes them.

It demands other versions of packages than Sekisho does, and so has an environment of its own: `make campaign` makes it.
Of managed policies it reads the tags with GetResources of the Resource Groups Tagging API.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.conftest import REGION, Served, left

POLICIES = Path(__file__).parent / "c7n"
PROGRAM = Path(sys.prefix) / "c7n" / "bin" / "custodian"
DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "orders:Ship", "Resource": "*"}]}'
STATEMENT = '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
TRUST = f'{{"Version": "2012-10-17", "Statement": [{STATEMENT}]}}'
DISPATCH = [{"Key": "Team", "Value": "dispatch"}]
BILLING = [{"Key": "Team", "Value": "billing"}]
FOUND = {
    "users": ["alice", "bob", "carol"],
    "users-by-tag": ["alice", "bob"],
    "users-by-attached-policy": ["alice"],
    "users-by-group": ["alice", "carol"],
    "users-by-access-key": ["bob"],
    "users-by-credential-report": ["bob"],
    "groups": ["dispatch", "empty"],
    "groups-without-users": ["empty"],
    "roles": ["idle", "machine"],
    "roles-by-tag": ["machine"],
    "roles-by-attached-policy": ["machine"],
    "roles-that-never-used-the-service": ["machine"],
    "account-with-three-users": [""],
}
"""The names that each policy of report.yml finds."""

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="Cloud Custodian is not here: `make .venv/.c7n` installs its 70 MB")


def run(served: Served, name: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a file of policies; what each finds is left below `home`."""
    environment = served.environment(HOME=str(home), AWS_EC2_METADATA_DISABLED="true")
    command = [str(PROGRAM), "run", "--output-dir", str(home), "--cache-period", "0", "--region", REGION, str(POLICIES / name)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


def find(served: Served, name: str, home: Path) -> dict[str, list[str]]:
    """Run a file of policies without an error; the names of what each policy found."""
    home.mkdir()
    done = run(served, name, home)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = {path.parent.name: json.loads(path.read_text()) for path in home.glob("*/resources.json")}
    return {policy: sorted(map(name_of, resources)) for policy, resources in answers.items()}


def name_of(resource: dict[str, Any]) -> str:
    """The name of a user, group, role or policy; an account without an alias has none."""
    (name,) = (resource[key] for key in ("UserName", "GroupName", "RoleName", "PolicyName", "account_name") if key in resource)
    return str(name)


@pytest.fixture
def iam(served: Served) -> Any:
    """A client of boto3 for IAM."""
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    return boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)


def test_a_report_says_the_same_again_and_what_it_says_can_be_removed(served: Served, iam: Any, tmp_path: Path) -> None:
    policy = iam.create_policy(PolicyName="ship-orders", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    for user, tags in {"alice": DISPATCH, "bob": DISPATCH, "carol": BILLING}.items():
        iam.create_user(UserName=user, Path="/staff/", Tags=tags)
    iam.attach_user_policy(UserName="alice", PolicyArn=policy)
    iam.create_access_key(UserName="bob")
    iam.create_group(GroupName="empty")
    iam.create_group(GroupName="dispatch")
    for user in ("alice", "carol"):
        iam.add_user_to_group(GroupName="dispatch", UserName=user)
    iam.create_role(RoleName="machine", AssumeRolePolicyDocument=TRUST, Tags=DISPATCH)
    iam.attach_role_policy(RoleName="machine", PolicyArn=policy)
    iam.create_role(RoleName="idle", AssumeRolePolicyDocument=TRUST)

    assert find(served, "report.yml", tmp_path / "first") == FOUND
    assert find(served, "report.yml", tmp_path / "again") == FOUND

    removed = find(served, "remove.yml", tmp_path / "removal")
    assert removed == {name: FOUND[name] for name in ("users", "groups", "roles")}
    assert left(served) == [policy]
    iam.delete_policy(PolicyArn=policy)


def test_policies_are_found_by_the_tags_that_the_tagging_api_tells(served: Served, iam: Any, tmp_path: Path) -> None:
    tagged = iam.create_policy(PolicyName="ship-orders", PolicyDocument=DOCUMENT, Tags=DISPATCH)["Policy"]["Arn"]
    other = iam.create_policy(PolicyName="bill-orders", PolicyDocument=DOCUMENT, Tags=BILLING)["Policy"]["Arn"]
    found = find(served, "policies.yml", tmp_path / "policies")
    for policy in (tagged, other):
        iam.delete_policy(PolicyArn=policy)
    assert found == {"policies": ["ship-orders"]}
