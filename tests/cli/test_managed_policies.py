"""`sekisho managed-policies import`, and the policies that a server begins with."""

import json
from pathlib import Path

from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.services.iam import managed_policies
from sekisho.store import db
from sekisho.store.tables import Policy
from tests.cli.command import one_line, sekisho

ENTRY = {
    "arn": "arn:aws:iam::aws:policy/service-role/Mine",
    "description": "mine",
    "document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "shop:Read", "Resource": "*"}]},
}


def names(options: Options) -> set[str]:
    with db.Database(options.url) as database, database.read() as session:
        return {row.path + row.name for row in session.query(Policy).where(Policy.account_id == "aws")}


def test_a_server_begins_with_policies_and_takes_more(tmp_path: Path) -> None:
    options = Options(data_dir=tmp_path / "data")
    prepare(options)
    built_in = {one.path + one.name for one in managed_policies.built_in()}
    assert names(options) == built_in
    file = tmp_path / "policies.jsonl"
    file.write_text(json.dumps(ENTRY))
    done = sekisho("managed-policies", "import", file, "--data-dir", options.data_dir)
    assert (done.returncode, done.stdout) == (0, "1 of 1 policies changed\n")
    assert names(options) == built_in | {"/service-role/Mine"}
    done = sekisho("managed-policies", "import", file, "--data-dir", options.data_dir)
    assert (done.returncode, done.stdout) == (0, "0 of 1 policies changed\n")
    prepare(options)
    assert names(options) == built_in | {"/service-role/Mine"}


def test_a_file_with_one_fault_changes_nothing(tmp_path: Path) -> None:
    options = Options(data_dir=tmp_path / "data")
    prepare(options)
    before = names(options)
    file = tmp_path / "policies.json"
    file.write_text(json.dumps([ENTRY, {"name": "B", "document": "{}"}]))
    done = sekisho("managed-policies", "import", file, "--data-dir", options.data_dir)
    assert one_line(done) == "entry 2, `B`: Syntax errors in policy."
    assert names(options) == before


def test_a_data_directory_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "policies.json"
    file.write_text(json.dumps([ENTRY]))
    done = sekisho("managed-policies", "import", file, "--data-dir", tmp_path / "none")
    assert one_line(done).startswith("there is no data directory")
