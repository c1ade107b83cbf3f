"""`sekisho load --dry-run` and `--prune`: what stands between an account and its directory is said, and removed when that is asked for."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.cli.examples import example
from sekisho.client import Client, Credentials, NotFound
from tests.cli.command import Done, sekisho
from tests.cli.conftest import Shop
from tests.cli.test_load import edit


class Branch:
    """An account of its own that holds the shop, and the directory that it was loaded from."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(example("shop"), folder)
        made = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
        self.account = made["account_id"]
        self.env = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
        self.env["SEKISHO_DATA_DIR"] = str(shop.data_dir)
        self.client = Client(shop.grpc, Credentials(made["access_key_id"], made["secret_access_key"]))

    def load(self, *options: str) -> Done:
        """Run `load`."""
        return sekisho("load", self.folder, *options, env=self.env)


@pytest.fixture
def branch(shop: Shop, tmp_path: Path) -> Iterator[Branch]:
    made = Branch(shop, tmp_path / "branch")
    with made.client:
        assert made.load().returncode == 0
        yield made


def test_a_dry_run_shows_the_difference_and_changes_nothing(branch: Branch) -> None:
    edit(branch.folder / "policies/own-drafts.json", '"orders:*Draft"', '"orders:GetDraft"')
    edit(branch.folder / "account.yaml", "level: junior", "level: senior")
    edit(branch.folder / "account.yaml", "  elif: {", "  zoe: {path: /finance/, groups: [finance], tags: {region: us}}\n  elif: {")
    for _ in range(2):
        done = branch.load("--dry-run")
        assert done.returncode == 0, done.stderr
        assert done.stdout == (
            "change    policy own-drafts\n"
            "            document\n"
            '                 "Statement": [\n'
            "                   {\n"
            '              -      "Action": "orders:*Draft",\n'
            '              +      "Action": "orders:GetDraft",\n'
            '                     "Effect": "Allow",\n'
            f'                     "Resource": "arn:aws:orders:eu-west-1:{branch.account}:draft/${{aws:username}}/*",\n'
            "change    user ben\n"
            "            tag level: junior → senior\n"
            "create    user zoe\n"
            "            path /finance/\n"
            "            tag region: us\n"
            "            in group finance\n"
            "1 to be created, 2 to be changed, 19 unchanged\n"
        )
    with pytest.raises(NotFound):
        branch.client.iam.get_user(user_name="zoe")


def test_the_exit_code_says_whether_there_is_a_difference(branch: Branch) -> None:
    assert branch.load("--dry-run", "--exit-code").returncode == 0
    branch.client.iam.create_group(group_name="stray")
    assert branch.load("--dry-run", "--exit-code").returncode == 4
    assert branch.load("--dry-run").returncode == 0
    assert branch.load("--exit-code").returncode == 2  # without a dry run it would mean nothing


def test_what_an_account_has_too_much_is_said_and_left_alone(branch: Branch) -> None:
    iam, arn = branch.client.iam, f"arn:aws:iam::{branch.account}:policy"
    iam.create_user(user_name="stray")
    iam.tag_user(user_name="ben", tags=[{"key": "mood", "value": "good"}])
    iam.attach_group_policy(group_name="finance", policy_arn=f"{arn}/shop/ship-orders")
    iam.put_role_policy(role_name="nightly-report", policy_name="more", policy_document=ALL)
    iam.add_user_to_group(user_name="chiyo", group_name="support")
    iam.put_user_permissions_boundary(user_name="amara", permissions_boundary=f"{arn}/shop/staff-boundary")
    for _ in range(2):
        assert branch.load().stdout == (
            "extra     user stray\n"
            f"extra     group finance: policy {arn}/shop/ship-orders attached\n"
            f"extra     user amara: boundary {arn}/shop/staff-boundary\n"
            "extra     user ben: tag mood\n"
            "extra     user chiyo: in group support\n"
            "extra     role nightly-report: inline policy more\n"
            "0 created, 0 changed, 21 unchanged, 6 extra (--prune deletes them)\n"
        )


def test_a_prune_removes_it_with_all_that_hangs_on_it(branch: Branch) -> None:
    iam, arn = branch.client.iam, f"arn:aws:iam::{branch.account}:policy"
    iam.create_policy(policy_name="stray", policy_document=ALL)
    iam.create_policy_version(policy_arn=f"{arn}/stray", policy_document=ALL, set_as_default=True)
    iam.create_group(group_name="stray")
    iam.put_group_policy(group_name="stray", policy_name="inline", policy_document=ALL)
    iam.create_user(user_name="stray", permissions_boundary=f"{arn}/stray")
    key = iam.create_access_key(user_name="stray").access_key.access_key_id
    iam.create_login_profile(user_name="stray", password="correct horse battery staple 1A")
    iam.add_user_to_group(user_name="stray", group_name="stray")
    iam.add_user_to_group(user_name="ben", group_name="stray")
    iam.attach_user_policy(user_name="stray", policy_arn=f"{arn}/stray")
    iam.attach_user_policy(user_name="ben", policy_arn=f"{arn}/stray")
    iam.create_role(role_name="stray", assume_role_policy_document=TRUST.replace("ACCOUNT", branch.account))
    iam.create_instance_profile(instance_profile_name="stray")
    iam.add_role_to_instance_profile(instance_profile_name="stray", role_name="stray")
    iam.tag_policy(policy_arn=f"{arn}/shop/own-drafts", tags=[{"key": "mood", "value": "good"}])
    told = branch.load("--prune", "--dry-run").stdout
    assert f"delete    user stray\n            access key id {key}\n            group name stray\n            password\n" in told
    assert told.endswith("0 to be created, 2 to be changed, 4 to be deleted, 19 unchanged\n")
    done = branch.load("--prune")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "changed   policy own-drafts\nchanged   user ben\n"
        "deleted   user stray\ndeleted   role stray\ndeleted   group stray\ndeleted   policy stray\n"
        "0 created, 2 changed, 4 deleted, 19 unchanged\n"
    )
    assert branch.load("--prune").stdout == "0 created, 0 changed, 21 unchanged\n"
    assert [profile.roles for profile in iam.list_instance_profiles().instance_profiles] == [[]]


def test_a_boundary_is_never_lost_with_its_policy(branch: Branch) -> None:
    """A policy that is a boundary of somebody who stays cannot be pruned away from under them."""
    arn = f"arn:aws:iam::{branch.account}:policy/limit"
    branch.client.iam.create_policy(policy_name="limit", policy_document=ALL)
    branch.client.iam.put_role_permissions_boundary(role_name="order-service", permissions_boundary=arn)
    edit(branch.folder / "account.yaml", "policies: [ask-sekisho]", f"policies: [ask-sekisho]\n    boundary: {arn}")
    done = branch.load("--prune")
    assert done.returncode == 1
    assert "policy limit: DeleteConflict: " in done.stderr
    assert branch.client.iam.get_role(role_name="order-service").role.permissions_boundary.permissions_boundary_arn == arn


def test_who_prunes_does_not_prune_itself(shop: Shop, branch: Branch) -> None:
    iam = branch.client.iam
    iam.create_user(user_name="operator")
    iam.put_user_policy(user_name="operator", policy_name="all", policy_document=ALL)
    key = iam.create_access_key(user_name="operator").access_key
    branch.env |= {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
    done = branch.load("--prune")
    assert done.stdout == "extra     user operator, which asks and stays\n0 created, 0 changed, 21 unchanged, 1 extra\n"
    assert iam.get_user(user_name="operator").user.user_name == "operator"


def test_what_cannot_be_changed_is_said(branch: Branch) -> None:
    edit(branch.folder / "account.yaml", "Orders of one's own region", "Orders of a region")
    edit(branch.folder / "account.yaml", "elif: {path: /finance/", "elif: {path: /money/")
    done = branch.load()
    assert done.stdout == (
        "differs   policy read-orders: its description is `Orders of one's own region`, not `Orders of a region`, "
        "which is for its creation alone\n"
        "differs   user elif: its path is `/finance/`, not `/money/`, which is for its creation alone\n"
        "0 created, 0 changed, 21 unchanged, 2 that cannot be changed\n"
    )


def test_a_caller_that_cannot_see_everything_says_so(branch: Branch) -> None:
    iam = branch.client.iam
    iam.create_user(user_name="loader")
    iam.put_user_policy(user_name="loader", policy_name="all", policy_document=ALL)
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}]})
    iam.put_user_policy(user_name="loader", policy_name="blind", policy_document=deny)
    key = iam.create_access_key(user_name="loader").access_key
    branch.env |= {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
    done = branch.load()
    assert (done.returncode, done.stdout) == (0, "0 created, 0 changed, 21 unchanged\n")
    assert "sekisho: what else the account has is not known: AccessDenied: " in done.stderr
    assert branch.load("--prune").returncode == 1
    assert branch.load("--dry-run", "--exit-code").returncode == 1  # it cannot say that there is no difference


ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::ACCOUNT:root"}}],
    }
)
