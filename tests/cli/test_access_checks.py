"""`sekisho policy diff` and `sekisho policy check`: what they say, how they exit, and what they write."""

import builtins
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.analysis.solver.documents import allow, assumed, deny, policy, to
from tests.cli.command import sekisho


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with policies, which is the working directory."""
    read = allow("s3:Get*", "arn:aws:s3:::b/*", Sid="Read")
    written = allow("shop:CancelOrder", "*", Sid="Cancel", condition={"StringEquals": {"aws:PrincipalTag/team": "orders"}})
    files = {
        "old": policy(read),
        "new": policy(read, written),
        "public": policy(to("*")),
        "trust": policy(assumed({"AWS": "arn:aws:iam::111122223333:root"})),
        "odd": policy(allow("s3:GetObject", condition={"NumericEquals": {"a:n": "1e400"}})),
        "broken": '{"Statement": 1}',
    }
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "lines.json").write_text(json.dumps(json.loads(files["new"]), indent=2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_diff_grants_no_more(folder: Path) -> None:
    done = sekisho("policy", "diff", "new.json", "old.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "old.json: grants no more\n", "")


def test_diff_grants_more(folder: Path) -> None:
    done = sekisho("policy", "diff", "old.json", "lines.json")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "lines.json: grants more"
    assert lines[1].startswith("  principal  arn:aws:iam::111122223333:")
    assert lines[2:] == [
        "  action     shop:CancelOrder",
        "  resource   arn:aws:s3:::b/example",
        "  with       aws:PrincipalTag/team = orders",
        "  granted by lines.json:10: statement `Cancel`",
    ]


def test_diff_is_unknown(folder: Path) -> None:
    done = sekisho("policy", "diff", "old.json", "odd.json")
    assert done.returncode == 2
    assert done.stdout == "odd.json: unknown\n  because the number 1E+400 is too large, or too fine, to be translated\n"


def test_diff_as_json(folder: Path) -> None:
    done = sekisho("policy", "diff", "old.json", "new.json", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert (said["file"], said["answer"]) == ("new.json", "yes")
    assert said["witness"]["action"] == "shop:CancelOrder"
    assert said["witness"]["context"] == {"aws:PrincipalTag/team": "orders"}
    assert said["statements"] == [{"index": 1, "sid": "Cancel", "line": 1}]


def test_diff_of_resources_policies(folder: Path) -> None:
    assert sekisho("policy", "diff", "trust.json", "trust.json").stdout == "trust.json: grants no more\n"
    done = sekisho("policy", "diff", "trust.json", "trust.json", "--type", "identity")
    assert (done.returncode, done.stdout) == (2, "")
    assert "should not specify a principal" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diff", "old.json", "broken.json"), "sekisho: broken.json: Syntax errors in policy. (`sekisho policy validate` says where)\n"),
        (("diff", "none.json", "old.json"), "sekisho: none.json: No such file or directory\n"),
        (("diff", "old.json", "old.json", "--type", "both"), "sekisho: --type: `both` is neither identity nor resource\n"),
        (
            ("check", "broken.json", "--no-public"),
            "sekisho: broken.json: Syntax errors in policy. (`sekisho policy validate` says where)\n",
        ),
    ],
)
def test_what_cannot_be_asked_is_not_access(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = sekisho("policy", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_check_says_what_to_check(folder: Path) -> None:
    done = sekisho("policy", "check", "old.json")
    assert done.returncode == 2
    assert "say what to check: --no-public, --not-granted or --resource" in done.stderr


def test_check_no_public(folder: Path) -> None:
    done = sekisho("policy", "check", "old.json", "trust.json", "public.json", "--no-public")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:3] == ["old.json: is not public", "trust.json: is not public", "public.json: is public"]
    assert lines[-1] == "  granted by public.json:1: statement 1"


def test_check_not_granted(folder: Path) -> None:
    done = sekisho("policy", "check", "old.json", "new.json", "--not-granted", "iam:*,shop:Cancel*", "--not-granted", "s3:PutObject")
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        "old.json: does not grant iam:*, shop:Cancel*, s3:PutObject",
        "new.json: grants iam:*, shop:Cancel*, s3:PutObject",
    ]


def test_check_of_resources(folder: Path) -> None:
    done = sekisho("policy", "check", "old.json", "--not-granted", "s3:GetObject", "--resource", "arn:aws:s3:::c/*")
    assert (done.returncode, done.stdout) == (0, "old.json: does not grant s3:GetObject on arn:aws:s3:::c/*\n")
    done = sekisho("policy", "check", "old.json", "--resource", "arn:aws:s3:::b/c")
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "old.json: grants anything on arn:aws:s3:::b/c")


def test_access_outweighs_what_is_unknown(folder: Path) -> None:
    done = sekisho("policy", "check", "odd.json", "--not-granted", "s3:GetObject")
    assert (done.returncode, done.stdout.splitlines()[0]) == (2, "odd.json: unknown whether it grants s3:GetObject")
    assert sekisho("policy", "check", "odd.json", "old.json", "--not-granted", "s3:GetObject").returncode == 1
    assert sekisho("policy", "check", "odd.json", "trust.json", "--not-granted", "s3:GetObject").returncode == 2


def test_check_as_json_and_junit(folder: Path) -> None:
    done = sekisho("policy", "check", "old.json", "public.json", "--no-public", "--not-granted", "iam:*", "--json", "--junit", "found.xml")
    said = json.loads(done.stdout)
    assert [(one["file"], one["question"], one["answer"]) for one in said] == [
        ("old.json", "is not public", "no"),
        ("old.json", "does not grant iam:*", "no"),
        ("public.json", "is not public", "yes"),
        ("public.json", "does not grant iam:*", "no"),
    ]
    root = ET.fromstring((folder / "found.xml").read_text())  # noqa: S314  # ours
    assert root.get("name") == "sekisho policy check"
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("old.json", "2", "0"),
        ("public.json", "2", "1"),
    ]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "public.json: is public"


def test_unknown_fails_in_junit(folder: Path) -> None:
    done = sekisho("policy", "diff", "old.json", "odd.json", "--junit", "found.xml")
    assert done.returncode == 2
    (failure,) = ET.fromstring((folder / "found.xml").read_text()).iter("failure")  # noqa: S314  # ours
    assert failure.get("message") == "odd.json: unknown"


def test_without_z3_it_says_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("sekisho.analysis") or name == "z3"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "z3":
            raise ModuleNotFoundError("No module named 'z3'", name="z3")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    done = sekisho("policy", "diff", "old.json", "new.json")
    assert done.returncode == 2
    assert done.stderr == "sekisho: `policy diff` needs z3, which is not installed: pip install 'sekisho[analyzer]'\n"


def test_a_deny_is_no_access(folder: Path) -> None:
    (folder / "denied.json").write_text(policy(allow(), deny("iam:*")))
    assert sekisho("policy", "check", "denied.json", "--not-granted", "iam:PassRole").returncode == 0
