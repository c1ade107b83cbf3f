"""`sekisho org tree` draws an organization."""

import json

from sekisho import client, sigv4
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop


def test_a_tree_has_units_accounts_and_their_policies(shop: Shop) -> None:
    made = json.loads(sekisho("account", "create", "--name", "Company", "--data-dir", shop.data_dir).stdout)
    keys = {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}
    none = sekisho("org", "tree", "--data-dir", shop.data_dir, env=keys)
    assert "Your account is not a member of an organization." in one_line(none)
    with client.Client(shop.grpc, sigv4.Credentials(made["access_key_id"], made["secret_access_key"])) as managing:
        org = managing.organizations
        organization = org.create_organization().organization
        root = org.list_roots().roots[0].id
        org.enable_policy_type(root_id=root, policy_type="SERVICE_CONTROL_POLICY")
        work, test = (org.create_organizational_unit(parent_id=root, name=name).organizational_unit.id for name in ("Work", "Test"))
        inner = org.create_organizational_unit(parent_id=work, name="Orders").organizational_unit.id
        ids = {}
        for name, unit in (("shop", inner), ("stock", inner), ("play", test)):
            org.create_account(email=f"{name}-of-the-tree@example.com", account_name=name)
            (ids[name],) = [account.id for account in org.list_accounts().accounts if account.name == name]
            org.move_account(account_id=ids[name], source_parent_id=root, destination_parent_id=unit)
        org.close_account(account_id=ids["play"])
        document = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"orders:Burn","Resource":"*"}]}'
        policy = org.create_policy(content=document, description="", name="No fire", type="SERVICE_CONTROL_POLICY").policy
        org.attach_policy(policy_id=policy.policy_summary.id, target_id=work)
    done = sekisho("org", "tree", "--data-dir", shop.data_dir, env=keys)
    assert done.returncode == 0, done.stderr
    full = "[SCP FullAWSAccess]"
    assert done.stdout.splitlines() == [
        f"{organization.id}, managed by {made['account_id']}",
        f"Root {root}  {full}",
        f"├─ Company {made['account_id']} (manages)  {full}",
        f"├─ Test {test}  {full}",
        f"│  └─ play {ids['play']} (closed)  {full}",
        f"└─ Work {work}  [SCP FullAWSAccess, SCP No fire]",
        f"   └─ Orders {inner}  {full}",
        f"      ├─ shop {ids['shop']}  {full}",
        f"      └─ stock {ids['stock']}  {full}",
    ]
