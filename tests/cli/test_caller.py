"""Who asks: never the root user by accident, and always said."""

import json
from pathlib import Path

import pytest

from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop


@pytest.fixture
def ben(shop: Shop, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody whose AWS profile `ben` is a user of the shop."""
    made = sekisho("account", "create", "--data-dir", shop.data_dir)  # another account's root stands for him: nobody else's keys change
    keys = json.loads(made.stdout)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[ben]\naws_access_key_id = {keys['access_key_id']}\naws_secret_access_key = {keys['secret_access_key']}\n"
    )
    return {"HOME": str(tmp_path), "account": keys["account_id"]}


def whoami(shop: Shop, *options: str, **env: str) -> str:
    """The account of the caller."""
    done = sekisho("whoami", "--json", "--data-dir", shop.data_dir, *options, env=env)
    assert done.returncode == 0, done.stderr
    account: str = json.loads(done.stdout)["account"]
    return account


def test_whoami_is_the_arn(shop: Shop) -> None:
    assert sekisho("whoami", "--data-dir", shop.data_dir).stdout == f"arn:aws:iam::{shop.account}:root\n"


def test_the_profile_of_awss_tools_comes_before_the_root_user(shop: Shop, ben: dict[str, str]) -> None:
    home = ben["HOME"]
    assert whoami(shop, HOME=home) == shop.account  # it has no profile `default`, and none is named
    assert whoami(shop, HOME=home, AWS_PROFILE="ben") == ben["account"]
    assert whoami(shop, "--profile", "ben", HOME=home) == ben["account"]
    assert whoami(shop, "--profile", "root", HOME=home, AWS_PROFILE="ben") == shop.account
    credentials = Path(home, ".aws/credentials")
    credentials.write_text(credentials.read_text().replace("[ben]", "[default]"))
    assert whoami(shop, HOME=home) == ben["account"]
    assert whoami(shop, HOME="/nonexistent", AWS_SHARED_CREDENTIALS_FILE=str(credentials)) == ben["account"]


def test_keys_of_the_environment_come_before_its_profile(shop: Shop, ben: dict[str, str]) -> None:
    """Who exported SEKISHO_PROFILE=root once and keys of somebody else later does not ask as root."""
    made = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
    keys = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
    assert whoami(shop, SEKISHO_PROFILE="root", **keys) == made["account_id"]
    assert whoami(shop, "--profile", "root", **keys) == shop.account
    assert whoami(shop, SEKISHO_PROFILE="root", HOME=ben["HOME"], AWS_PROFILE="ben") == shop.account


def test_a_named_profile_is_not_shadowed_by_keys_of_the_environment(shop: Shop, ben: dict[str, str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    assert whoami(shop, "--profile", "ben", HOME=ben["HOME"], **keys) == ben["account"]


@pytest.mark.parametrize("env", [{"AWS_PROFILE": "bob"}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, {"AWS_SECRET_ACCESS_KEY": "x"}])
def test_a_caller_that_cannot_be_had_is_not_the_root_user(shop: Shop, env: dict[str, str]) -> None:
    for command in (("authorize", "--action", "a:b", "--resource", "*"), ("token",), ("load", "nowhere")):
        done = sekisho(*command, "--data-dir", shop.data_dir, env=env)
        assert done.returncode == 1, command
        assert done.stdout == ""


def test_authorize_and_token_say_who_asks(shop: Shop, ben: dict[str, str]) -> None:
    env = {"HOME": ben["HOME"], "AWS_PROFILE": "ben"}
    place = f"(profile `ben` of {ben['HOME']}/.aws/credentials)"
    done = sekisho("authorize", "--data-dir", shop.data_dir, "--action", "a:b", "--resource", "*", env=env)
    assert done.stderr == f"as arn:aws:iam::{ben['account']}:root {place}\n"
    said = sekisho("token", "--data-dir", shop.data_dir, env=env).stderr
    assert said.startswith("as the owner of AKIA")
    assert said.endswith(f"{place}\n")


def test_keys_that_were_meant_for_aws_say_how_to_ask_as_root(shop: Shop) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    said = one_line(sekisho("whoami", "--data-dir", shop.data_dir, env=keys))
    assert f"from AWS_ACCESS_KEY_ID; --profile root asks as the root user of {shop.data_dir})" in said
