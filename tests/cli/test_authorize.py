"""`sekisho authorize`: an answer in words, in JSON, and in the exit code."""

import json
from pathlib import Path

import pytest

from sekisho.cli.authorize import _context
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop


def test_allowed_in_words(shop: Shop) -> None:
    done = sekisho(
        *("authorize", "--data-dir", shop.data_dir, "--principal", "user/support/amara", "--action", "orders:GetOrder"),
        *("--resource", shop.order("7"), "--tag", "region=eu"),
    )
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == f"✔ allowed  {shop.user('support/amara')}"
    assert f"resource  {shop.order('7')}" in lines
    policy = f"arn:aws:iam::{shop.account}:policy/shop/read-orders v1"
    assert f"because   identity policy {policy}, statement `OwnRegion` allows it" in lines


def test_not_allowed_is_three(shop: Shop) -> None:
    done = sekisho(
        *("authorize", "--data-dir", shop.data_dir, "--principal", shop.user("support/amara"), "--action", "orders:GetOrder"),
        *("--resource", shop.order("7"), "--tag", "region=us"),
    )
    assert done.returncode == 3
    assert done.stdout.startswith("✘ not allowed  ")
    assert "because   no identity policy allows it" in done.stdout


def test_denied_names_the_statement_and_the_missing_key(shop: Shop) -> None:
    done = sekisho(
        *("authorize", "--data-dir", shop.data_dir, "--principal", "user/finance/elif", "--action", "orders:EraseCustomer"),
        *("--resource", "*"),
    )
    assert done.returncode == 3
    assert done.stdout.startswith("✘ denied  ")
    assert "guard-customers v1, statement `NeverWithoutSecondFactor` denies it" in done.stdout
    assert "missing   aws:MultiFactorAuthPresent" in done.stdout


def test_json_for_programs(shop: Shop) -> None:
    done = sekisho(
        *("authorize", "--data-dir", shop.data_dir, "--principal", "user/support/amara", "--action", "orders:RefundOrder"),
        *("--resource", shop.order("7"), "--context", "orders:Amount=300", "--json"),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer.pop("decision_id")) > 10
    assert len(answer.pop("revision")) > 10
    assert answer == {
        "allowed": True,
        "outcome": "Allowed",
        "layer": "identity",
        "matched": [
            {
                "layer": "identity",
                "policy_arn": f"arn:aws:iam::{shop.account}:policy/shop/refund-orders",
                "policy_version": "v1",
                "policy_name": "",
                "sid": "LargeRefundsBySeniors",
                "index": 1,
            }
        ],
        "missing_keys": [],
        "principal_arn": shop.user("support/amara"),
    }


def test_explain_says_the_way_there(shop: Shop) -> None:
    arguments = (
        *("authorize", "--data-dir", shop.data_dir, "--principal", "user/support/ben", "--action", "orders:RefundOrder"),
        *("--resource", shop.order("7"), "--context", "orders:Amount=300", "--explain"),
    )
    done = sekisho(*arguments)
    assert done.returncode == 3, done.stderr
    sentence = (
        f"User: {shop.user('support/ben')} is not authorized to perform: orders:RefundOrder on resource: {shop.order('7')} "
        "because no identity-based policy allows the orders:RefundOrder action"
    )
    assert sentence in done.stdout
    answer = json.loads(sekisho(*arguments, "--json").stdout)
    assert answer["sentence"] == sentence
    assert answer["trace"]


def test_the_caller_itself_when_nobody_is_named(shop: Shop) -> None:
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--action", "orders:GetOrder", "--resource", "*", "--json")
    assert json.loads(done.stdout)["principal_arn"] == f"arn:aws:iam::{shop.account}:root"


def test_a_principal_that_is_not_there(shop: Shop) -> None:
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--principal", "user/nobody", "--action", "a:b", "--resource", "*")
    assert one_line(done) == f"NoSuchPrincipal: There is no principal `{shop.user('nobody')}`."


def test_a_key_of_somewhere_else_is_named(shop: Shop) -> None:
    env = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--action", "a:b", "--resource", "*", env=env)
    assert one_line(done).startswith("InvalidClientTokenId: ")
    assert "signed with AKIAIOSFODNN7EXAMPLE, from AWS_ACCESS_KEY_ID" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--endpoint", "127.0.0.1:1", "127.0.0.1:1 does not answer"),
        ("--endpoint", "ftp://127.0.0.1", "is not HOST:PORT"),
        ("--profile", "nobody", "no profile `nobody`"),
        ("--data-dir", "nowhere", "no server runs in the data directory `nowhere`"),
        ("--audience", "another", "signed for the audience `another`"),
        ("--action", "x", "at 'action' failed to satisfy constraint"),
        ("--context", "aws:username=root", "cannot be given"),
        ("--resource-policy", "nowhere.json", "nowhere.json: No such file or directory"),
    ],
)
def test_what_cannot_be_decided_is_one_line(shop: Shop, option: str, value: str, said: str) -> None:
    given = {"--data-dir": str(shop.data_dir), "--action": "a:b", "--resource": "*"} | {option: value}
    credentials = {"SEKISHO_CREDENTIALS": str(shop.data_dir / "credentials")}
    done = sekisho("authorize", *(part for pair in given.items() for part in pair), env=credentials)
    assert said in one_line(done)


@pytest.mark.parametrize("option", [("--context", "loose"), ("--tag", "=x"), ("--principal", "amara")], ids=" ".join)
def test_options_that_are_written_wrongly(shop: Shop, option: tuple[str, str]) -> None:
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--action", "a:b", "--resource", "*", *option)
    assert done.returncode == 2
    assert option[0] in done.stderr


def test_context_lists() -> None:
    given = ["a=1", "b=1", "b=2", "c[]=1", "d=x=y", "e="]
    assert _context(given) == {"a": "1", "b": ["1", "2"], "c": ["1"], "d": "x=y", "e": ""}


def test_explain_says_why_each_policy_did_not_apply_when_none_is_near(shop: Shop) -> None:
    question = ("--principal", "user/support/ben", "--action", "orders:EraseCustomer", "--resource", shop.order("7"))
    done = sekisho("authorize", "--data-dir", shop.data_dir, *question, "--explain")
    policy = f"arn:aws:iam::{shop.account}:policy/shop"
    assert done.stdout.partition("\n\nidentity policy:\n")[2] == (
        f"  {policy}/read-orders v1\n"
        "    statement `OwnRegion` allow does not apply: the action is not covered; not aws:ResourceTag/region = eu\n"
        f"  {policy}/refund-orders v1\n"
        "    statement `SmallRefunds` allow does not apply: the action is not covered; not orders:Amount <= 50\n"
        "    statement `LargeRefundsBySeniors` allow does not apply: "
        "the action is not covered; not orders:Amount <= 500; not aws:PrincipalTag/level = senior\n"
        f"  {policy}/own-drafts v1\n"
        "    statement `OwnDrafts` allow does not apply: the action is not covered; the resource is not covered\n"
        f"  {policy}/guard-customers v1\n"
        "    statement `NeverWithoutSecondFactor` deny matches\n"
    )


def test_explain_says_that_somebody_has_no_policy(shop: Shop) -> None:
    folder = shop.data_dir.parent / "nobody"
    folder.mkdir()
    (folder / "account.yaml").write_text("users:\n  nobody: {}\n")
    account = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
    env = {"AWS_ACCESS_KEY_ID": account["access_key_id"], "AWS_SECRET_ACCESS_KEY": account["secret_access_key"]}
    assert sekisho("load", folder, "--data-dir", shop.data_dir, env=env).returncode == 0
    question = ("--principal", "user/nobody", "--action", "orders:GetOrder", "--resource", "*", "--explain")
    done = sekisho("authorize", "--data-dir", shop.data_dir, *question, env=env)
    assert done.stdout.endswith("\nno identity policy is attached to the principal, or to a group of it\n")


def test_a_resource_policy_that_is_wrong_says_where(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{\n  "Version": "2012-10-17",\n  "Statement": {"Effect": "Allow", "Action": "a:*", "Resource": "*"}\n}\n')
    question = ("--action", "a:b", "--resource", "*", "--resource-policy", file)
    said = one_line(sekisho("authorize", "--data-dir", shop.data_dir, *question))
    assert said.startswith(f"{file}:3:16: MISSING_PRINCIPAL: ")
