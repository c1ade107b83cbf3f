"""`sekisho load`: an account becomes what a directory says, and stays so."""

import json
import shutil
from pathlib import Path

import pytest

from sekisho.cli.examples import example
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop


def test_a_second_run_changes_nothing(shop: Shop) -> None:
    done = sekisho("load", example("shop"), "--data-dir", shop.data_dir)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("0 created, 0 changed, 21 unchanged")  # other tests' role and user may be extra
    assert done.stderr == f"as arn:aws:iam::{shop.account}:root (profile `root` of {shop.data_dir}/credentials)\n"


@pytest.fixture
def branch(shop: Shop, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A copy of the shop's directory, and the environment of an account of its own."""
    folder = tmp_path / "branch"
    shutil.copytree(example("shop"), folder)
    made = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
    env = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
    return folder, {**env, "SEKISHO_DATA_DIR": str(shop.data_dir)}


def edit(path: Path, old: str, new: str) -> None:
    """Replace what stands once in a file."""
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


EDITS = {
    "policy text": ("policies/own-drafts.json", '"orders:*Draft"', '"orders:GetDraft"', "policy own-drafts"),
    "policy tag": ("account.yaml", "tags: {kind: boundary}", "tags: {kind: limit}", "policy staff-boundary"),
    "user tag": ("account.yaml", "level: junior", "level: senior", "user ben"),
    "membership": ("account.yaml", "groups: [finance]", "groups: [finance, support]", "user elif"),
    "attachment": (
        "account.yaml",
        "policies: [read-orders, ship-orders,",
        "policies: [read-orders, own-drafts, ship-orders,",
        "group warehouse",
    ),
    "inline policy": ("policies/confirm-pickup.json", '"orders:GetParcel", ', "", "role parcel-pickup"),
    "trust": ("trust/incident-responder.json", "INC-*", "CASE-*", "role incident-responder"),
    "session length": ("account.yaml", "max_session: 7200", "max_session: 3600", "role nightly-report"),
    "description": ("account.yaml", "Counts the orders of the day", "Counts orders", "role nightly-report"),
    "boundary": (
        "account.yaml",
        "    boundary: staff-boundary\n    inline: [assume-shop-roles]",
        "    boundary: own-drafts\n    inline: [assume-shop-roles]",
        "user farid",
    ),
}


def test_what_differs_is_changed_and_nothing_else(branch: tuple[Path, dict[str, str]]) -> None:
    folder, env = branch
    done = sekisho("load", folder, env=env)
    assert done.stdout.splitlines()[-1] == "21 created, 0 changed, 0 unchanged", done.stderr
    for name, (file, old, new, what) in EDITS.items():
        edit(folder / file, old, new)
        done = sekisho("load", folder, env=env)
        assert done.stdout.splitlines()[0] == f"changed   {what}", (name, done.stderr)
        assert done.stdout.splitlines()[-1].startswith("0 created, 1 changed, 20 unchanged"), name
    done = sekisho("load", folder, env=env)
    # the session length had no other way: what an inline edit replaced is gone, what was attached before is not
    assert done.stdout == "0 created, 0 changed, 21 unchanged\n"


def test_a_policy_can_change_more_often_than_it_has_versions(branch: tuple[Path, dict[str, str]]) -> None:
    folder, env = branch
    for number in range(7):
        (folder / "policies/own-drafts.json").write_text(
            json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"orders:Draft{number}", "Resource": "*"}]})
        )
        done = sekisho("load", folder, env=env)
        assert done.returncode == 0, done.stderr


WRONG = {
    "no yaml": ("account.yaml", "groups:\n  support:", "groups: [\n  support:", "account.yaml:18:9: while parsing a flow sequence"),
    "unknown section": ("account.yaml", "\nroles:", "\nrolls:", "`rolls` is none of"),
    "unknown member": ("account.yaml", "max_session:", "maximum:", "`roles.nightly-report` has no member `maximum`"),
    "unknown policy": (
        "account.yaml",
        "policies: [ask-sekisho]",
        "policies: [ask]",
        "`order-service` names the policy `ask`, which is not there",
    ),
    "unknown group": ("account.yaml", "groups: [finance]", "groups: [money]", "`elif` names the group `money`, which is not there"),
    "no json": (
        "policies/read-orders.json",
        '"Sid": "OwnRegion",',
        '"Sid": "OwnRegion"',
        "read-orders.json:6:7: Expecting ',' delimiter",
    ),
    "no such file": ("account.yaml", "inline: [repair-orders]", "inline: [repair]", "policies/repair.json: No such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_directory_that_is_wrong_changes_nothing(shop: Shop, tmp_path: Path, case: str) -> None:
    file, old, new, said = WRONG[case]
    folder = tmp_path / "branch"
    shutil.copytree(example("shop"), folder)
    edit(folder / file, old, new)
    done = sekisho("load", folder, "--data-dir", shop.data_dir)
    assert said in one_line(done)
    assert done.stdout == ""


def test_a_policy_that_a_server_would_refuse_says_where(shop: Shop, branch: tuple[Path, dict[str, str]]) -> None:
    folder, env = branch
    edit(folder / "policies/read-orders.json", '"Effect": "Allow"', '"Effect": "Maybe"')
    said = one_line(sekisho("load", folder, env=env))
    assert said == (
        f"{folder}/policies/read-orders.json:6:17: INVALID_EFFECT: the Effect is neither `Allow` nor `Deny` (Syntax errors in policy.)"
    )


def test_words_are_defined_or_refused(shop: Shop) -> None:
    done = sekisho("load", example("shop"), "--define", "CARIER_ID=1", "--data-dir", shop.data_dir)
    assert one_line(done) == "account.yaml defines no `CARIER_ID`"
