"""`sekisho load` with an organization.yaml: an organization becomes what the file says, and stays so."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho.cli.examples import example
from sekisho.client import Client, Credentials, pages
from tests.cli.command import Done, one_line, sekisho
from tests.cli.conftest import Shop
from tests.cli.test_load import edit

FULL = "p-FullAWSAccess"
YAML = "organization.yaml"
CHANGES = 1 + 4 + 4 + 5  # the organization, policies, the root and units, accounts


class Company:
    """An account of its own, and a copy of the example whose addresses nobody else has."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(example("shop") / "organization", folder)
        made = json.loads(sekisho("account", "create", "--data-dir", shop.data_dir).stdout)
        self.account: str = made["account_id"]
        self.env = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
        self.env["SEKISHO_DATA_DIR"] = str(shop.data_dir)
        self.client = Client(shop.grpc, Credentials(made["access_key_id"], made["secret_access_key"]))
        self.org = self.client.organizations

    def load(self, *options: str) -> Done:
        """Run `load`."""
        return sekisho("load", self.folder, "--define", f"DOMAIN={self.account}.example.com", *options, env=self.env)

    def loaded(self, *options: str) -> list[str]:
        """The lines of a load that must not fail."""
        done = self.load(*options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def every(self, call: Any, field: str, **asked: str) -> list[Any]:
        return [one for page in pages(call, **asked) for one in getattr(page, field)]

    @property
    def root(self) -> str:
        return self.org.list_roots().roots[0].id

    def units(self, parent: str = "") -> dict[str, str]:
        found = self.every(self.org.list_organizational_units_for_parent, "organizational_units", parent_id=parent or self.root)
        return {one.name: one.id for one in found}

    def accounts(self, unit: str = "") -> dict[str, str]:
        found = self.every(self.org.list_accounts_for_parent, "accounts", parent_id=self.units()[unit] if unit else self.root)
        return {one.name: one.id for one in found if one.id != self.account}

    def attached(self, target: str, type_: str = "SERVICE_CONTROL_POLICY") -> list[str]:
        found = self.every(self.org.list_policies_for_target, "policies", target_id=target, filter=type_)
        return sorted(one.name for one in found)

    def tags(self, id_: str) -> dict[str, str]:
        return {tag.key: tag.value for tag in self.every(self.org.list_tags_for_resource, "tags", resource_id=id_)}


@pytest.fixture
def company(shop: Shop, tmp_path: Path) -> Iterator[Company]:
    made = Company(shop, tmp_path / "company")
    with made.client:
        yield made


@pytest.fixture
def grown(company: Company) -> Company:
    """One that is loaded."""
    company.loaded()
    return company


def test_an_organization_is_made_and_a_second_run_changes_nothing(company: Company) -> None:
    told = company.loaded("--dry-run")
    assert told[:3] == ["create    organization", "            with all features", "            type SERVICE_CONTROL_POLICY enabled"]
    assert told[-1] == "13 to be created, 1 to be changed, 0 unchanged"
    assert company.load("--dry-run", "--exit-code").returncode == 4
    lines = company.loaded()
    assert lines[0] == "created   organization"
    assert lines[-1] == "13 created, 1 changed, 0 unchanged"
    for options in ((), ("--dry-run", "--exit-code"), ("--prune",), ("--dry-run", "--prune")):
        be = "to be " if "--dry-run" in options else ""
        assert company.loaded(*options) == [f"0 {be}created, 0 {be}changed, {CHANGES} unchanged"]
    assert sorted(company.units()) == ["Play", "Security", "Work"]
    assert {unit: sorted(company.accounts(unit)) for unit in ("Play", "Security", "Work")} == {
        "Play": ["sandbox", "training"],
        "Security": ["log"],
        "Work": ["orders", "stock"],
    }
    work = company.units()["Work"]
    assert company.attached(work) == ["FullAWSAccess", "stay-in-europe"]
    assert company.attached(work, "RESOURCE_CONTROL_POLICY") == ["RCPFullAWSAccess", "own-people-only"]
    assert company.attached(company.root) == ["FullAWSAccess", "keep-the-record"]
    assert company.tags(work) == {"CostCenter": "200"}
    assert company.tags(company.accounts("Work")["orders"]) == {"CostCenter": "210"}


def test_what_differs_is_shown_and_changed(grown: Company) -> None:
    edit(grown.folder / "policies/stay-in-europe.json", '"eu-*"', '"eu-west-*"')
    edit(grown.folder / YAML, "description: Nobody stops a trail, tags: {kind: guard}", "description: None stops it, tags: {Kind: guard}")
    edit(grown.folder / YAML, 'CostCenter: "210"', 'CostCenter: "220"')
    edit(grown.folder / YAML, "        stock: {email: stock@DOMAIN}\n", "")
    edit(grown.folder / YAML, "        sandbox:", "        stock: {email: stock@DOMAIN, attached: [keep-the-record]}\n        sandbox:")
    edit(grown.folder / YAML, "    Security:\n", "    Security:\n      units: {Vault: {tags: {a: b}}}\n")
    shown = [
        "change    policy stay-in-europe",
        "            document",
        '                     "Condition": {',
        '                       "StringNotLike": {',
        '              -          "aws:RequestedRegion": "eu-*"',
        '              +          "aws:RequestedRegion": "eu-west-*"',
        "                       }",
        "                     },",
        "change    policy keep-the-record",
        "            description 'Nobody stops a trail' → 'None stops it'",
        "            tag Kind: none → guard",
        "create    unit Security/Vault",
        "            in unit Security",
        "            tag a: b",
        "change    account orders",
        "            tag CostCenter: 210 → 220",
        "change    account stock",
        "            in unit Work → unit Play",
        "            policy keep-the-record attached",
        "extra     policy keep-the-record: tag kind",
        "1 to be created, 4 to be changed, 10 unchanged, 1 extra (--prune deletes them)",
    ]
    for _ in range(2):
        assert grown.loaded("--dry-run") == shown
    assert "Vault" not in grown.units(grown.units()["Security"])
    assert grown.loaded()[-1] == "1 created, 4 changed, 10 unchanged, 1 extra (--prune deletes them)"
    assert sorted(grown.accounts("Play")) == ["sandbox", "stock", "training"]
    assert grown.attached(grown.accounts("Play")["stock"]) == ["FullAWSAccess", "keep-the-record"]
    assert grown.loaded("--prune") == ["changed   policy keep-the-record", "0 created, 1 changed, 14 unchanged"]
    assert grown.load("--dry-run", "--exit-code").returncode == 0


def test_drift_is_named_and_pruned_but_for_accounts(grown: Company) -> None:
    org, work = grown.org, grown.units()["Work"]
    old = org.create_organizational_unit(parent_id=work, name="Old").organizational_unit.id
    org.create_organizational_unit(parent_id=old, name="Older")
    busy = org.create_organizational_unit(parent_id=grown.root, name="Busy").organizational_unit.id
    made = org.create_account(email=f"stray@{grown.account}.example.com", account_name="stray").create_account_status
    stray = org.describe_create_account_status(create_account_request_id=made.id).create_account_status.account_id
    org.move_account(account_id=stray, source_parent_id=grown.root, destination_parent_id=busy)
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"a:b","Resource":"*"}]}'
    policy = org.create_policy(content=document, description="", name="stray", type="SERVICE_CONTROL_POLICY").policy.policy_summary.id
    for target in (work, busy):
        org.attach_policy(policy_id=policy, target_id=target)
    org.enable_policy_type(root_id=grown.root, policy_type="BACKUP_POLICY")
    org.tag_resource(resource_id=work, tags=[{"key": "costcenter", "value": "1"}])
    drift = [
        f"extra     account stray {stray}, which stays",
        "extra     unit Busy, in which accounts hang, and which stays",
        "extra     unit Work/Old/Older",
        "extra     unit Work/Old",
        "extra     policy stray",
        "extra     type BACKUP_POLICY",
        "extra     unit Work: tag costcenter",
        "extra     unit Work: policy stray attached",
    ]
    for _ in range(2):
        assert grown.loaded() == [*drift, f"0 created, 0 changed, {CHANGES} unchanged, 8 extra (--prune deletes them)"]
    assert grown.load("--dry-run", "--exit-code").returncode == 4
    assert grown.loaded("--prune") == [
        "changed   unit Work",
        "deleted   unit Work/Old/Older",
        "deleted   unit Work/Old",
        "deleted   policy stray",
        "deleted   type BACKUP_POLICY",
        *drift[:2],
        "0 created, 1 changed, 4 deleted, 13 unchanged, 2 extra",
    ]
    assert sorted(grown.units()) == ["Busy", "Play", "Security", "Work"]
    assert (grown.tags(work), grown.attached(work)) == ({"CostCenter": "200"}, ["FullAWSAccess", "stay-in-europe"])
    assert stray in {one.id for one in grown.every(org.list_accounts, "accounts")}


def test_a_unit_may_be_without_full_access(company: Company) -> None:
    (company.folder / "policies/only-orders.json").write_text(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"orders:*","Resource":"*"}]}'
    )
    edit(company.folder / YAML, "  cost-centers: {", "  only-orders: {type: SERVICE_CONTROL_POLICY}\n  cost-centers: {")
    edit(company.folder / YAML, "      attached: [stay-in-europe]\n", "      attached: [only-orders]\n      full_access: false\n")
    company.loaded()
    assert company.attached(company.units()["Play"]) == ["only-orders"]
    assert company.loaded()[-1] == f"0 created, 0 changed, {CHANGES + 1} unchanged"
    edit(company.folder / YAML, "      full_access: false\n", "")
    assert company.loaded()[0] == "changed   unit Play"
    assert company.attached(company.units()["Play"]) == ["FullAWSAccess", "only-orders"]


def test_an_organization_and_the_account_that_manages_it_lie_in_one_folder(company: Company) -> None:
    (company.folder / "account.yaml").write_text("define: {DOMAIN: x}\nusers: {ann: {}}\n")
    assert company.loaded()[-1] == "14 created, 1 changed, 0 unchanged"
    assert company.client.iam.get_user(user_name="ann").user.user_name == "ann"
    assert company.loaded("--prune")[-1] == f"0 created, 0 changed, {CHANGES + 1} unchanged"


WRONG = {
    "unknown member": ("    Play:\n", "    Play:\n      account: {}\n", "`root.Play` has no member `account`"),
    "unknown policy": ("attached: [stay-in-europe]", "attached: [stay]", "unit Play names the policy `stay`, which is not there"),
    "type not in force": (", TAG_POLICY]", "]", "root names the policy `cost-centers`, whose type is not among the types"),
    "no type": ("{type: TAG_POLICY, ", "{", "`policies.cost-centers` has no type"),
    "nobody": ("{email: log@DOMAIN}", "{}", "the account `log` has either an email or the id"),
    "twice": ("stock@DOMAIN", "Orders@DOMAIN", "stands in two places"),
    "no text": ("  cost-centers: {", "  more: {type: TAG_POLICY}\n  cost-centers: {", "policies/more.json: No such file"),
    "stranger": (
        "{email: log@DOMAIN}",
        '{id: "123456789012"}',
        "account log: 123456789012 is no member of the organization; invite it first",
    ),
    "quoted": ("    Play:\n", '    Play:\n      full_access: "false"\n', "`root.Play.full_access` is neither true nor false"),
    "no access": ("    Play:\n", "    Play:\n      full_access: false\n", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_changes_nothing(company: Company, case: str) -> None:
    old, new, said = WRONG[case]
    edit(company.folder / YAML, old, new)
    if case == "no access":
        edit(company.folder / YAML, "      attached: [stay-in-europe]\n", "")
        said = "unit Play is without full access, and no SERVICE_CONTROL_POLICY is attached to it"
    done = company.load()
    assert said in one_line(done)
    assert done.stdout == ""


def test_an_account_that_stands_in_two_places_by_two_names_is_not_moved(grown: Company) -> None:
    id_ = grown.accounts("Work")["stock"]
    edit(grown.folder / YAML, "        training:", f'        again: {{id: "{id_}"}}\n        training:')
    assert one_line(grown.load()) == f"account again: {id_} stands in two places, by its id and by its e-mail"
    assert grown.accounts("Work")["stock"] == id_


def test_a_policy_that_a_server_would_refuse_says_where(company: Company) -> None:
    edit(company.folder / "policies/stay-in-europe.json", '"Effect": "Deny"', '"Effect": "Maybe"')
    said = one_line(company.load())
    assert said.startswith(f"{company.folder}/policies/stay-in-europe.json:6:17: INVALID_EFFECT: ")
    checked = sekisho("policy", "validate", company.folder)
    assert (checked.returncode, "stay-in-europe.json:6:17" in checked.stdout + checked.stderr) == (1, True)


def test_a_member_does_not_load_an_organization(grown: Company) -> None:
    org = grown.org
    keys = json.loads(sekisho("account", "create", "--data-dir", grown.env["SEKISHO_DATA_DIR"]).stdout)
    env = grown.env | {"AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"]}
    asked = org.invite_account_to_organization(target={"id": keys["account_id"], "type": "ACCOUNT"}).handshake.id
    endpoint = json.loads((Path(grown.env["SEKISHO_DATA_DIR"]) / "endpoints.json").read_text())["grpc"]
    with Client(endpoint, Credentials(keys["access_key_id"], keys["secret_access_key"])) as joining:
        joining.organizations.accept_handshake(handshake_id=asked)
    said = one_line(sekisho("load", grown.folder, env=env))
    assert said.startswith(f"the account {keys['account_id']} is a member of the organization o-")
