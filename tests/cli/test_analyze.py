"""`sekisho analyze`: against a server and against files, for people, for programs and for CI."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho.api.insight.v1 import unused_access_pb2 as pb
from sekisho.cli import analyze
from sekisho.cli.examples import example
from sekisho.client import Client
from tests.cli.command import Done, one_line, sekisho
from tests.cli.conftest import Shop

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def allow(*actions: str, on: str = "*") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "Why", "Effect": "Allow", "Action": list(actions), "Resource": on}]})


@pytest.fixture
def account(shop: Shop) -> Iterator[tuple[Client, dict[str, str], str]]:
    """A new account at the shop's server: its root user's client, and the environment of that."""
    made = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
    env = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
    with Client.from_env({**env, "SEKISHO_ENDPOINT": shop.grpc}) as client:
        yield client, {**env, "SEKISHO_DATA_DIR": str(shop.data_dir)}, made["account_id"]


def user(client: Client, name: str, document: str) -> None:
    client.iam.create_user(user_name=name)
    client.iam.put_user_policy(user_name=name, policy_name="own", policy_document=document)


def analyzed(env: dict[str, str], *arguments: object) -> Done:
    done = sekisho("analyze", *arguments, env=env)
    assert done.returncode in (0, 5), done.stderr
    return done


def test_a_path_is_told_and_fails_a_build(account: tuple[Client, dict[str, str], str]) -> None:
    client, env, number = account
    done = analyzed(env, "escalation", "--exit-code")
    assert (done.returncode, done.stdout) == (0, f"0 of 0 principals of {number} can become an administrator; 0 are administrators\n")
    user(client, "admin", json.dumps(EVERYTHING))
    user(client, "ann", allow("iam:CreateAccessKey"))
    done = analyzed(env, "escalation", "--exit-code")
    assert done.returncode == 5
    header, line, last = done.stdout.splitlines()
    assert header.split() == ["who", "does", "and", "is", "then", "permitted", "by"]
    assert re.split(r"\s{2,}", line.strip()) == ["user/ann", "iam:CreateAccessKey", "user/admin", "identity policy own, statement `Why`"]
    assert last == f"1 of 2 principals of {number} can become an administrator; 1 are administrators"
    assert analyzed(env, "escalation").returncode == 0
    found = json.loads(analyzed(env, "escalation", "--json").stdout)
    arn = f"arn:aws:iam::{number}:user/"
    assert (found["account"], found["administrators"], found["principals"]) == (number, [f"{arn}admin"], 2)
    assert found["paths"] == [
        {
            "source": f"{arn}ann",
            "hops": [
                {
                    "method": "iam:CreateAccessKey",
                    "published": True,
                    "by": f"{arn}ann",
                    "on": f"{arn}admin",
                    "becomes": f"{arn}admin",
                    "grants": [
                        {
                            "action": "iam:CreateAccessKey",
                            "resource": f"{arn}admin",
                            "statements": [{"layer": "identity", "policy": "own", "sid": "Why", "index": 0}],
                        }
                    ],
                }
            ],
        }
    ]
    goal = json.loads(analyzed(env, "escalation", "--json", "--goal", f"{arn}ann").stdout)
    assert [path["source"] for path in goal["paths"]] == [f"{arn}admin"]


def test_pictures_are_files_without_a_network(account: tuple[Client, dict[str, str], str], tmp_path: Path) -> None:
    client, env, _ = account
    user(client, "admin", json.dumps(EVERYTHING))
    user(client, "ann", allow("iam:CreateAccessKey"))
    done = analyzed(env, "escalation", "--svg", tmp_path / "a.svg", "--html", tmp_path / "a.html")
    assert done.returncode == 0
    assert ET.fromstring((tmp_path / "a.svg").read_text()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own
    page = (tmp_path / "a.html").read_text()
    assert "iam:CreateAccessKey" in page
    assert re.findall(r"(?:src|href)=|url\(|https?://(?!www\.w3\.org/2000/svg)", page) == []


def test_an_account_of_files(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "trust").mkdir()
    (tmp_path / "account.yaml").write_text(
        "policies: {power: {}}\ngroups: {admins: {policies: [power]}}\n"
        "users: {ann: {inline: [join]}, ben: {groups: [admins]}, cat: {policies: ['arn:aws:iam::aws:policy/IAMFullAccess']}}\n"
        "roles: {web: {policies: [power]}}\n"
    )
    (tmp_path / "policies/power.json").write_text(json.dumps(EVERYTHING))
    (tmp_path / "policies/join.json").write_text(allow("iam:AddUserToGroup", on="arn:aws:iam::ACCOUNT_ID:group/admins"))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    (tmp_path / "trust/web.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    done = sekisho("analyze", "escalation", "--offline", tmp_path, "--exit-code", "--json")
    assert (done.returncode, done.stderr) == (5, "")
    found = json.loads(done.stdout)
    arn = "arn:aws:iam::111122223333:"
    assert found["administrators"] == [f"{arn}role/web", f"{arn}user/ben"]
    assert [(path["source"], path["hops"][0]["method"]) for path in found["paths"]] == [
        (f"{arn}user/ann", "iam:AddUserToGroup"),
        (f"{arn}user/cat", "iam:PutUserPolicy"),
    ]


def test_what_was_not_looked_at_fails_a_build_as_well(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    groups = ", ".join(f"g{n}: {{inline: [own-{n}]}}" for n in range(20))
    (tmp_path / "account.yaml").write_text(f"groups: {{{groups}}}\nusers: {{ann: {{inline: [join]}}}}\n")
    (tmp_path / "policies/join.json").write_text(allow("iam:AddUserToGroup"))
    for n in range(20):
        (tmp_path / f"policies/own-{n}.json").write_text(allow(f"orders:Do{n}"))
    done = sekisho("analyze", "escalation", "--offline", tmp_path, "--exit-code")
    said = "not all was looked at: arn:aws:iam::111122223333:user/ann can change its own permissions in more than 12 ways"
    assert (done.returncode, done.stdout.splitlines()[0]) == (5, said)


def test_the_shop_has_no_path() -> None:
    done = sekisho("analyze", "escalation", "--offline", example("shop"), "--exit-code")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"0 of \d+ principals of 111122223333 can become an administrator; 0 are administrators\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--offline", "/nonexistent"), "there is no folder `/nonexistent`"),
        (("--offline", str(example("shop")), "--goal", "arn:aws:iam::ACCOUNT_ID:user/nobody"), "the account has no user or role"),
    ],
)
def test_what_cannot_be_analyzed_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    assert said in one_line(sekisho("analyze", "escalation", *arguments))


def test_what_is_written_wrongly_is_said() -> None:
    assert sekisho("analyze", "escalation", "--suppose", "nothing").returncode == 2
    assert sekisho("analyze", "escalation", "--define", "A=B").returncode == 2
    assert sekisho("analyze", "unused", "--days", "0").returncode == 2


def test_supposed_keys_reach_the_server(account: tuple[Client, dict[str, str], str]) -> None:
    client, env, _ = account
    user(client, "admin", json.dumps(EVERYTHING))
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    statement = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*", "Condition": condition}
    user(client, "ann", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert json.loads(analyzed(env, "escalation", "--json").stdout)["paths"] == []
    supposed = analyzed(env, "escalation", "--json", "--suppose", "aws:MultiFactorAuthPresent=true")
    assert len(json.loads(supposed.stdout)["paths"]) == 1


def test_nothing_is_unused_in_a_new_account(account: tuple[Client, dict[str, str], str]) -> None:
    client, env, _ = account
    user(client, "ann", allow("orders:Ship"))
    assert json.loads(analyzed(env, "unused", "--json").stdout) == []
    assert analyzed(env, "unused", "--days", "30").stdout.splitlines()[-1] == "0 not used for 30 days"


def test_what_is_unused_is_a_table_for_people_and_whole_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """As an old account has it; what was just made is not unused, so that no server of a test says this."""
    own: dict[str, Any] = {"arn": "arn:aws:iam::111122223333:user/ann", "name": "own", "days": 90}
    rows = [
        pb.UnusedAccess(
            kind="permission", **own, recommendation="DetachPolicy", unused_actions=["orders:Ship"], narrowed_actions=["iam:*"]
        ),
        pb.UnusedAccess(kind="user", **own | {"name": ""}, recommendation="DeleteUser"),
    ]
    found = [analyze._unused(one) for one in rows]
    assert (found[0]["unused"], found[0]["narrowed"], found[0]["policy"]) == (["orders:Ship"], ["iam:*"], None)
    assert "unused" not in found[1]
    analyze._table(found, 30)
    _, first, second, last = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", first.strip()) == ["permission", "user/ann own", "orders:Ship, iam:* in part", "DetachPolicy"]
    assert re.split(r"\s{2,}", second.strip()) == ["user", "user/ann", "for 90 days", "DeleteUser"]
    assert last == "2 not used for 30 days"


def test_a_policy_of_what_was_done(account: tuple[Client, dict[str, str], str]) -> None:
    client, env, number = account
    user(client, "ann", allow("iam:GetUser", "iam:ListUsers", "iam:CreateGroup"))
    done = analyzed(env, "generate", f"arn:aws:iam::{number}:user/ann", "--json")
    nothing = json.loads(done.stdout)
    assert (nothing["events"], nothing["uses"], nothing["policy"]["Statement"][0]["Sid"]) == (0, [], "NothingWasUsed")
    assert "of 0 events, 0 different uses" in analyzed(env, "generate", f"arn:aws:iam::{number}:user/ann").stderr
    assert "is no user or role of the account" in one_line(sekisho("analyze", "generate", f"arn:aws:iam::{number}:user/nobody", env=env))
