"""`sekisho service` and `sekisho policy validate --services`/`--catalog`: definitions, from files and from a server."""

import json
from pathlib import Path

from sekisho.policy import definitions
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop

STOCK = {
    "Name": "stock",
    "Actions": [{"Name": "CountStock", "ActionConditionKeys": ["stock:Shelf"], "Annotations": {"Properties": {"IsList": True}}}],
    "Resources": [],
    "ConditionKeys": [{"Name": "stock:Shelf", "Types": ["String"]}],
    "Operations": [{"Name": "x" * 2_000_000}],
    "Version": "v1.4",
}


def policy(folder: Path, *actions: str) -> Path:
    file = folder / "policy.json"
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return file


def test_a_definition_is_put_listed_got_used_and_deleted(shop: Shop, tmp_path: Path) -> None:
    at = ("--data-dir", shop.data_dir, "--profile", "root")
    file = tmp_path / "stock.json"
    file.write_text(json.dumps(STOCK))
    done = sekisho("service", "put", file, *at)
    assert (done.returncode, done.stdout) == (0, "stock: 1 actions, 0 resource types, 1 condition keys\n"), done.stderr
    lines = sekisho("service", "list", *at).stdout.splitlines()
    assert "stock  1 actions, 0 types, 1 keys" in lines
    assert any(line.startswith("iam  ") and line.endswith("(built in)") for line in lines)
    assert definitions.read(sekisho("service", "get", "stock", *at).stdout).get_action("CountStock") is not None
    assert definitions.read(sekisho("service", "get", "iam", *at).stdout).get_action("PassRole") is not None
    written = policy(tmp_path, "stock:CountStock", "stock:Burn", "iam:GetUsers", "unknown:Thing")
    done = sekisho("policy", "validate", written, "--catalog", *at)
    assert done.returncode == 0, "a warning is no error"
    assert [line.partition("WARNING ")[2] for line in done.stdout.splitlines() if "UNKNOWN" in line] == [
        "UNKNOWN_ACTION: `stock` has no action `Burn`",
        "UNKNOWN_ACTION: `iam` has no action `GetUsers`; is `GetUser` meant?",
    ]
    assert sekisho("service", "delete", "stock", *at).stdout == "stock: deleted\n"
    assert "has no definition of the service stock" in one_line(sekisho("service", "get", "stock", *at))


def test_definitions_come_from_files_and_folders_without_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "stock.json").write_text(json.dumps(STOCK))
    (tmp_path / "iam.json").write_text(json.dumps({"Name": "iam", "Actions": [{"Name": "GetUsers"}]}))
    written = policy(tmp_path, "stock:Burn", "iam:GetUsers", "sts:Nothing")
    assert sekisho("policy", "validate", written).stdout == "nothing to say\n"
    done = sekisho("policy", "validate", written, "--services", folder, "--services", tmp_path / "iam.json", "--json")
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == [
        "`stock` has no action `Burn`",
        "`sts` has no action `Nothing`",
    ]


def test_what_is_no_definition_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"Name": "A B"}')
    assert one_line(sekisho("service", "put", file)).startswith(f"{file}: Name has `A B`, which is not of the form")
    assert one_line(sekisho("service", "put", tmp_path / "x.json")) == f"{tmp_path}/x.json: No such file or directory"
    file.write_bytes(b"\xff")
    assert one_line(sekisho("policy", "validate", "--services", file, policy(tmp_path, "a:b"))).startswith(f"{file}: ")
