"""`sekisho policy test`: a team's own questions, asked of its own policies."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sekisho.cli import expectations
from sekisho.cli.examples import example
from tests.cli.command import one_line, sekisho

ACCOUNT = """
policies:
  read: {}
users:
  alice: {path: /staff/, policies: [read], tags: {team: blue}}
  bob: {}
roles:
  reader: {policies: [read], tags: {team: red}}
"""
READ = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Own", "Effect": "Allow", "Action": "docs:Get", "Resource": "arn:aws:docs:::${aws:PrincipalTag/team}/*"},
        {"Sid": "Late", "Effect": "Deny", "Action": "docs:*", "Resource": "*", "Condition": {"NumericGreaterThan": {"docs:Hour": "22"}}},
        {"Effect": "Allow", "Action": "docs:List", "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"docs:Kinds": ["a", "b"]}}},
    ],
}
ALICE = "arn:aws:iam::ACCOUNT_ID:user/staff/alice"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "Staff",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::ACCOUNT_ID:user/staff/alice"},
        "Action": "sts:AssumeRole",
    },
}
QUESTIONS = """\
account: .
resources: "arn:aws:docs:::"
sessions:
  green: {role: reader, name: s-1, tags: {team: green}}
questions:
  - story: alice reads what is her team's
    principal: user/staff/alice
    action: docs:Get
    resource: blue/1
    expect: {outcome: Allowed, layer: identity, because: Own}
  - story: not at night
    principal: user/staff/alice
    action: docs:Get
    resource: blue/1
    context: {"docs:Hour": 23}
    expect: {outcome: ExplicitlyDenied, because: Late}
  - story: a session's tag wins over its role's
    session: green
    action: docs:Get
    resource: green/1
    expect: Allowed
  - story: alice becomes a reader
    principal: user/staff/alice
    action: sts:AssumeRole
    resource: arn:aws:iam::111122223333:role/reader
    expect: {outcome: Allowed, because: Staff}
  - story: bob does not
    principal: user/bob
    action: sts:AssumeRole
    resource: arn:aws:iam::111122223333:role/reader
    expect: {outcome: ImplicitlyDenied, layer: trust}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A team's folder."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "trust").mkdir()
    (tmp_path / "account.yaml").write_text(ACCOUNT)
    (tmp_path / "policies/read.json").write_text(json.dumps(READ, indent=1))
    (tmp_path / "trust/reader.json").write_text(json.dumps(TRUST))
    (tmp_path / "docs.test.yaml").write_text(QUESTIONS)
    return tmp_path


def test_answers_as_expected(folder: Path) -> None:
    done = sekisho("policy", "test", folder)
    assert done.returncode == 0, (done.stdout, done.stderr)
    lines = done.stdout.splitlines()
    assert lines[0] == str(folder / "docs.test.yaml")
    assert lines[1] == "  ✔ alice reads what is her team's"
    assert lines[-1] == "5 as expected, 0 not"


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "docs.test.yaml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expect: {outcome: ExplicitlyDenied, because: Late}", "expect: Allowed", "expected Allowed, was ExplicitlyDenied"),
        ("because: Late}", "because: Own}", "expected because of `Own`, was because of `Late`"),
        ("layer: trust}", "layer: identity}", "expected of the layer identity, was of trust"),
        ("layer: trust}", "because: Staff}", "expected because of `Staff`, was because of no statement"),
    ],
    ids=["outcome", "statement", "layer", "no_statement"],
)
def test_another_answer_fails_where_it_stands(folder: Path, old: str, new: str, said: str) -> None:
    edit(folder, old, new)
    done = sekisho("policy", "test", folder / "docs.test.yaml")
    assert done.returncode == 1
    (failed,) = [line for line in done.stdout.splitlines() if "✘" in line]
    number = 11 if "Late" in old else 27
    assert failed.startswith(f"  ✘ {folder / 'docs.test.yaml'}:{number}:5: ")
    assert f"      {said}\n" in done.stdout
    assert done.stdout.endswith("4 as expected, 1 not\n")


def test_a_failure_says_what_would_change_it(folder: Path) -> None:
    edit(folder, 'context: {"docs:Hour": 23}\n    expect: {outcome: ExplicitlyDenied, because: Late}', "expect: ImplicitlyDenied")
    edit(folder, "resource: green/1", "resource: blue/1")
    done = sekisho("policy", "test", folder)
    assert "expected Allowed, was ImplicitlyDenied\n      no identity-based policy allows docs:Get on arn:aws:docs:::blue/1" in done.stdout


def test_a_trust_policy_is_asked_for_the_tags_of_a_session_too(folder: Path) -> None:
    (folder / "trust/reader.json").write_text(json.dumps(TRUST).replace('"sts:AssumeRole"', '["sts:AssumeRole", "sts:TagSession"]'))
    edit(folder, "principal: user/staff/alice\n    action: sts:AssumeRole", "principal: user/staff/alice\n    action: sts:TagSession")
    done = sekisho("policy", "test", folder)
    assert done.stdout.splitlines()[-1] == "5 as expected, 0 not"


def test_coverage_names_what_no_question_matches(folder: Path) -> None:
    done = sekisho("policy", "test", folder, "--coverage")
    assert "\n3 of 4 statements matched\n" in done.stdout
    line = (
        next(number for number, text in enumerate((folder / "policies/read.json").read_text().splitlines(), 1) if "docs:List" in text) - 2
    )
    assert f"read.json:{line}: no question matches statement 3" in done.stdout


def test_values_in_the_spelling_of_policies(folder: Path) -> None:
    given = '{"docs:Kinds": [a], "docs:Big": true, "docs:Size": 1.50, "docs:Day": 2026-01-02 03:04:05Z, "docs:None": []}'
    edit(folder, "docs:Get\n    resource: green/1\n", f"docs:List\n    resource: green/1\n    context: {given}\n")
    (suite,) = [expectations.read(file, datetime(2026, 3, 4, tzinfo=UTC)) for file in expectations.files([folder])]
    context = suite.questions[2].request.context
    assert {key: value for key, value in context.items() if key.startswith("docs:")} == {
        "docs:kinds": ("a",),
        "docs:big": "true",
        "docs:size": "1.5",
        "docs:day": "2026-01-02T03:04:05Z",
        "docs:none": (),
    }
    assert context["aws:currenttime"] == "2026-03-04T00:00:00Z"
    assert context["aws:principaltag/team"] == "green"
    done = sekisho("policy", "test", folder, "--coverage")
    assert done.returncode == 0, done.stdout
    assert "4 of 4 statements matched" in done.stdout


def test_junit(folder: Path, tmp_path: Path) -> None:
    edit(folder, "because: Late}", "because: Own}")
    out = tmp_path / "results.xml"
    sekisho("policy", "test", folder, "--junit", out)
    (suite,) = ET.parse(out).getroot()  # noqa: S314  # ours
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
    failed = suite[1]
    assert (failed.get("name"), failed.get("line"), failed.get("file")) == ("not at night", "11", str(folder / "docs.test.yaml"))
    assert "expected because of `Own`, was because of `Late`" in (failed[0].text or "")
    assert [len(case) for case in suite] == [0, 1, 0, 0, 0]


WRONG = {
    "no yaml": ("sessions:", "sessions: [", ":5:1: expected"),
    "unknown member of the file": ("sessions:", "session:", ":3:1: unknown member `session`"),
    "unknown member": ("story: not at night", "storey: not at night", ":11:5: unknown member `storey`"),
    "missing member": ("    resource: green/1\n", "", ":17:5: the question has no `resource`"),
    "unknown principal": ("user/bob", "user/carol", ":28:16: the account has no principal `user/carol`; it has user/staff/alice, user/bob"),
    "unknown session": ("session: green", "session: blue", ":18:14: `blue` is no session of a role"),
    "two who ask": ("session: green", "session: green\n    principal: user/bob", ":17:5: a question has either"),
    "unknown outcome": ("expect: Allowed", "expect: Yes", ":21:13: the expected outcome is one of Allowed"),
    "unknown layer": ("layer: trust", "layer: trusting", ":31:48: there is no layer `trusting`"),
    "no account": ("account: .", "account: elsewhere", ":1:10: "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_says_where(folder: Path, case: str) -> None:
    old, new, said = WRONG[case]
    edit(folder, old, new)
    assert one_line(sekisho("policy", "test", folder)).startswith(f"{folder / 'docs.test.yaml'}{said}")


def test_a_policy_that_is_wrong_says_where(folder: Path) -> None:
    (folder / "policies/read.json").write_text('{"Version": "2012-10-17", "Statement": [], "Statement": []}')
    assert "read.json" in one_line(sekisho("policy", "test", folder))


def test_no_questions_is_not_a_success(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no file named ….test.yaml" in one_line(sekisho("policy", "test", tmp_path / "empty"))
    (folder / "docs.test.yaml").write_text("account: .\nquestions: []\n")
    assert "`questions` is no list of questions" in one_line(sekisho("policy", "test", folder))


def test_the_shop_answers_without_a_server_as_with_one(tmp_path: Path) -> None:
    done = sekisho("policy", "test", example("shop"), "--coverage")
    assert done.returncode == 0, done.stdout
    assert "23 as expected, 0 not" in done.stdout
    assert "17 of 18 statements matched" in done.stdout


def test_a_changed_policy_is_noticed(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(example("shop"), shop)
    policy = shop / "policies/refund-orders.json"
    policy.write_text(policy.read_text().replace('"500"', '"100"'))
    done = sekisho("policy", "test", shop)
    assert done.returncode == 1
    assert "Amara, his senior, pays them back" in next(line for line in done.stdout.splitlines() if "✘" in line)
