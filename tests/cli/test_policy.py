"""`sekisho policy`: the language without a server."""

import json
import shutil
from pathlib import Path

from sekisho.cli.examples import example
from tests.cli.command import one_line, sekisho

SHOP = example("shop")

ALLOW = {"Version": "2012-10-17", "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "orders:Get*", "Resource": "*"}]}


def case(name: str, action: str) -> str:
    """A case as a line of JSON."""
    request = {
        "principal": "arn:aws:iam::111122223333:user/alice",
        "principal_type": "user",
        "action": action,
        "resource": "arn:aws:orders:eu-west-1:111122223333:order/7",
        "resource_account": "111122223333",
        "context": {},
    }
    return json.dumps({"id": name, "request": request, "identity_policies": [ALLOW]})


def test_decide_answers_line_by_line() -> None:
    done = sekisho("policy", "decide", stdin=f"{case('a', 'orders:GetOrder')}\n\n{case('b', 'orders:ShipOrder')}\n".encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{"id": "a", "decision": "Allowed"}\n{"id": "b", "decision": "ImplicitlyDenied"}\n'


def test_decide_explains() -> None:
    done = sekisho("policy", "decide", "--explain", stdin=case("a", "orders:GetOrder").encode())
    assert json.loads(done.stdout) == {
        "id": "a",
        "decision": "Allowed",
        "layer": "identity",
        "matched": [{"layer": "identity", "policy": "identity_policies[0]", "sid": "Read", "index": 0}],
        "missing_keys": [],
    }


def test_a_line_that_is_no_case_does_not_stop_the_others() -> None:
    done = sekisho("policy", "decide", stdin=b'{"id": \xff}\n{"id": "x"}\n' + case("b", "orders:GetOrder").encode())
    assert done.returncode == 1
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["line"], "not JSON" in first["error"]) == (1, True)
    assert second == {"id": "x", "line": 2, "error": "case `x`: `request` is no JSON object"}
    assert third == {"id": "b", "decision": "Allowed"}
    assert done.stderr.splitlines()[1] == "sekisho: line 2: case `x`: `request` is no JSON object"


def test_explain_says_what_would_change_it() -> None:
    lines = f"{case('a', 'orders:GetOrder')}\n{case('b', 'orders:ShipOrder')}\n".encode()
    done = sekisho("policy", "explain", stdin=lines)
    assert done.returncode == 0, done.stderr
    assert "a: arn:aws:iam::111122223333:user/alice orders:GetOrder " in done.stdout
    assert "no identity-based policy allows orders:ShipOrder" in done.stdout
    first, second = (json.loads(line) for line in sekisho("policy", "explain", "--json", stdin=lines).stdout.splitlines())
    assert (first["id"], first["decision"], first["layers"][0]["policies"][0]["statements"][0]["matched"]) == ("a", "Allowed", True)
    assert (second["id"], second["decision"]) == ("b", "ImplicitlyDenied")


def test_validate_points_at_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{\n  "Version": "2012-10-17",\n  "Statement": {"Effect": "Maybe", "Action": "orders:Get*", "Resource": "*"}\n}\n')
    done = sekisho("policy", "validate", file)
    assert done.returncode == 1
    first, *_, last = done.stdout.splitlines()
    assert first.startswith(f"{file}:3:27: ERROR INVALID_EFFECT: ")
    assert last == "1 ERROR"
    found = json.loads(sekisho("policy", "validate", "--json", file).stdout)
    assert (found["file"], found["severity"], found["line"], found["column"]) == (str(file), "ERROR", 3, 27)


def test_validate_has_nothing_to_say_of_the_shop() -> None:
    words = ("--define", "ACCOUNT_ID=111122223333", "--define", "CARRIER_ID=444455556666")
    policies = sekisho("policy", "validate", *sorted((SHOP / "policies").glob("*.json")), *words)
    assert (policies.returncode, policies.stdout) == (0, "nothing to say\n")
    trusts = sekisho("policy", "validate", "--kind", "trust", *sorted((SHOP / "trust").glob("*.json")), *words)
    assert (trusts.returncode, trusts.stdout) == (0, "nothing to say\n")


def test_validate_knows_the_kinds(tmp_path: Path) -> None:
    done = sekisho("policy", "validate", "--kind", "bucket", tmp_path)
    assert done.returncode == 2
    assert "`bucket` is none of identity, managed" in done.stderr


def test_validate_looks_through_a_folder(tmp_path: Path) -> None:
    """The account's own words stand in its policies, trust policies are held to be such, and each fault is where it is in the file."""
    assert sekisho("policy", "validate", SHOP).stdout == "nothing to say\n"
    assert sekisho("policy", "validate", SHOP / "trust").stdout == "nothing to say\n"
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    text = (folder / "policies/own-drafts.json").read_text()
    resources = '["arn:aws:iam::ACCOUNT_ID:user/x", "arn:ACCOUNT_ID", 7]'
    faulty = text.replace('"arn:aws:orders:eu-west-1:ACCOUNT_ID:draft/${aws:username}/*"', resources)
    assert faulty != text
    (folder / "policies/own-drafts.json").write_text(faulty)
    (folder / "trust/order-service.json").write_text((folder / "policies/read-orders.json").read_text())
    (folder / "package.json").write_text("{}")  # is no policy, and lies beside them
    done = sekisho("policy", "validate", folder)
    assert done.returncode == 1
    places = [line.partition(" ERROR ")[0] for line in done.stdout.splitlines()[:-1]]
    column = faulty.splitlines()[7].index("7]") + 1
    assert f"{folder}/policies/own-drafts.json:8:{column}:" in places
    assert {place.partition(":")[0] for place in places} == {f"{folder}/policies/own-drafts.json", f"{folder}/trust/order-service.json"}


def test_validate_looks_through_a_folder_of_another_shape(tmp_path: Path) -> None:
    (tmp_path / "deep/trust").mkdir(parents=True)
    (tmp_path / "deep/one.json").write_text(json.dumps(ALLOW))
    (tmp_path / "deep/trust/two.json").write_text(json.dumps(ALLOW))
    lines = sekisho("policy", "validate", tmp_path, "--json").stdout.splitlines()
    assert {(json.loads(line)["file"], json.loads(line)["issue"]) for line in lines} >= {
        (f"{tmp_path}/deep/trust/two.json", "MISSING_PRINCIPAL")
    }
    assert {json.loads(line)["file"] for line in lines} == {f"{tmp_path}/deep/trust/two.json"}


def test_validate_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert one_line(sekisho("policy", "validate", tmp_path)) == f"the folder `{tmp_path}` has no policy, a file named ….json"


def test_validate_of_a_file_that_is_not_there_names_it(tmp_path: Path) -> None:
    assert one_line(sekisho("policy", "validate", tmp_path / "x.json")) == f"{tmp_path}/x.json: No such file or directory"
