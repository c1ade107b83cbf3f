"""No account sees another organization, by whatever id or token it asks."""

import json
import re
from typing import Any

import pytest

from sekisho import operations
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.operations.annotations import Access
from sekisho.store.tables import QuotaOverride
from tests.harness import BY_NAME, House
from tests.services.organizations.test_delegation import delegate
from tests.services.organizations.tree import RCP, SCP, Organization, deny

RPCS = {method.name: method for method in operations.rpcs("organizations").values()}
LISTS = sorted(
    name
    for name, method in RPCS.items()
    if "next_token" in method.input_type.fields_by_name and name != "ListDelegatedServicesForAccount"  # of whom nothing is delegated to
)
PAGED: dict[str, dict[str, Any]] = {
    "ListAccounts": {},
    "ListHandshakesForOrganization": {},
    "ListPolicies": {"filter": SCP},
    "ListAccountsWithInvalidEffectivePolicy": {"policy_type": "TAG_POLICY"},
}
DELEGABLE = tuple(
    f"organizations:{name}"
    for name in RPCS
    if re.fullmatch("(Attach|Create|Delete|Detach|Update)Policy|(En|Dis)ablePolicyType|(Unt|T)agResource", name)
)
CALLS = sorted(RPCS.keys() - {"DeleteOrganization", "LeaveOrganization"})  # which name nothing, and would end our own
NAMING = [name for name in CALLS if any(field.name.endswith("_id") or field.name == "target" for field in RPCS[name].input_type.fields)]


class Pair:
    """An organization with something of everything, and another one whose management account asks for it."""

    def __init__(self, house: House) -> None:
        node = house.node
        self.theirs = Organization(house, SCP, "TAG_POLICY")
        with node.database.write((house.account_id,)) as session:
            session.add(QuotaOverride(account_id=house.account_id, quota="OrganizationAccountsQuota", value=1000))
        self.other = House(node, accounts.create(node.database, node.ring))
        self.ours = Organization(self.other, SCP, "TAG_POLICY")
        org = self.theirs
        self.unit = org.unit("secret-unit", org.unit("secret-outer"))
        self.account = org.account("secret-account", parent=self.unit)
        self.policy = org.policy(deny("secret:Action"), name="secret-policy")
        org.attach(self.policy, self.unit)
        org("EnableAWSServiceAccess", service_principal="secret.example.com")
        org("RegisterDelegatedAdministrator", account_id=self.account, service_principal="secret.example.com")
        self.handshake = org("InviteAccountToOrganization", target={"id": "123456789012", "type": "ACCOUNT"}).handshake.id
        self.request = org("ListCreateAccountStatus").create_account_statuses[0].id
        org("TagResource", resource_id=self.unit, tags=[{"key": "secret-key", "value": "secret-value"}])
        self.ids = (self.unit, self.account, self.policy, self.handshake, self.request, org.root_id)
        self.callers = {
            "member": self.ours.inside(self.ours.account()),
            "administrator": self.ours.inside(administrator := self.ours.account()),
            "delegate": self.ours.inside(delegated := self.ours.account()),
            "mole": org.inside(org.account()),
        }
        self.ours("EnableAWSServiceAccess", service_principal="port.example.com")
        self.ours("RegisterDelegatedAdministrator", account_id=administrator, service_principal="port.example.com")
        self.ours("PutResourcePolicy", content=delegate(delegated, "organizations:Describe*", "organizations:List*", *DELEGABLE))
        for number in range(3):
            org.unit(f"secret-{number}")
            org("InviteAccountToOrganization", target={"id": f"12345678901{number + 3}", "type": "ACCOUNT"})

    def fields(self, name: str) -> dict[str, Any]:
        """What the call is asked with: ids of the other organization wherever there is a place for one."""
        known: dict[str, Any] = {
            "account_id": self.account,
            "organizational_unit_id": self.unit,
            "parent_id": self.unit,
            "child_id": self.account,
            "source_parent_id": self.unit,
            "destination_parent_id": self.ours.root_id,
            "policy_id": self.policy,
            "target_id": self.unit if name != "DescribeEffectivePolicy" else self.account,
            "root_id": self.theirs.root_id,
            "handshake_id": self.handshake,
            "create_account_request_id": self.request,
            "resource_id": self.unit,
            "filter": {"action_type": "INVITE"} if "Handshakes" in name else SCP,
            "child_type": "ACCOUNT",
            "policy_type": "TAG_POLICY",
            "service_principal": "secret.example.com",
            "tags": [{"key": "k", "value": "v"}],
            "tag_keys": ["secret-key"],
            "content": deny("a:b"),
            "name": "n",
            "description": "d",
            "type": SCP,
            "email": "isolated@example.com",
            "account_name": "a",
            "target": {"id": self.account, "type": "ACCOUNT"},
        }
        names = {field.name for field in BY_NAME[f"organizations:{name}"].request.DESCRIPTOR.fields}
        return {key: value for key, value in known.items() if key in names}


@pytest.fixture(scope="module")
def pair(shared: House) -> Pair:
    return Pair(House(shared.node, accounts.create(shared.node.database, shared.node.ring)))


def told(pair: Pair, call: Any) -> str:
    """Whatever a call says, in its answer or in its error."""
    try:
        return str(call())
    except SekishoError as error:
        return f"{error.code} {error.message} {dict(error.members)}"


@pytest.mark.parametrize("name", CALLS)
def test_the_ids_of_another_organization_lead_nowhere(pair: Pair, name: str) -> None:
    said = told(pair, lambda: pair.ours(name, **pair.fields(name)))
    assert "secret-" not in said
    assert pair.theirs.id not in said
    assert pair.theirs.management not in said
    stranger = pair.other.account()
    outside = told(pair, lambda: pair.ours(name, stranger, **pair.fields(name)))
    assert "secret-" not in outside
    assert pair.theirs.id not in outside


@pytest.mark.parametrize("who", ["member", "administrator", "delegate", "mole"])
@pytest.mark.parametrize("name", NAMING)
def test_an_id_that_is_not_ones_own_is_as_one_that_nobody_has(pair: Pair, name: str, who: str) -> None:
    """To those who read another organization, and to a member of this one who reads nothing of it."""
    fields = pair.fields(name)
    made_up = {real: _other(real) for real in pair.ids if real in json.dumps(fields)}
    assert made_up
    said = []
    for asked in (fields, json.loads(_replaced(json.dumps(fields), made_up))):
        answer = told(pair, lambda asked=asked: pair.ours(name, pair.callers[who], **asked))
        said.append(re.sub("h-[a-z0-9]{32}|(seconds|nanos): [0-9]+", "", answer))
    assert "secret-" not in said[0]
    assert _replaced(said[0], made_up) == said[1]


def _other(id_: str) -> str:
    """An id of the same shape that nobody has."""
    prefix, dash, rest = id_.rpartition("-")
    return prefix + dash + "".join("1" if character.isdigit() else "z" for character in rest)


def _replaced(text: str, by: dict[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", PAGED)
def test_a_token_of_another_account_is_refused(pair: Pair, name: str) -> None:
    fields = PAGED[name] | {"max_results": 1}
    token = pair.theirs(name, **fields).next_token
    assert token
    for caller in (None, pair.other.account()):
        with pytest.raises(SekishoError) as caught:
            pair.ours(name, caller, **fields, next_token=token)
        expected = ("InvalidInput", "INVALID_NEXT_TOKEN") if caller is None else ("AWSOrganizationsNotInUse", "")
        assert (caught.value.code, caught.value.members.get("Reason", "")) == expected


@pytest.mark.parametrize("name", LISTS)
def test_every_list_refuses_a_token_that_it_did_not_give(pair: Pair, name: str) -> None:
    ours = pair.ours
    fields = pair.fields(name) | {"parent_id": ours.root_id, "account_id": ours.management, "child_id": ours.management}
    fields |= {"policy_id": "p-FullAWSAccess", "target_id": ours.root_id, "resource_id": ours.root_id, "next_token": "AAAA"}
    names = {field.name for field in BY_NAME[f"organizations:{name}"].request.DESCRIPTOR.fields}
    if name == "ListEffectivePolicyValidationErrors":
        ours.attach(ours.policy('{"tags":{"a":{"tag_key":{"@@assign":"A"}}}}', "TAG_POLICY"), ours.root_id)
    with pytest.raises(SekishoError) as caught:
        ours(name, **{key: value for key, value in fields.items() if key in names})
    assert (caught.value.code, caught.value.members.get("Reason", "")) == ("InvalidInput", "INVALID_NEXT_TOKEN")


def test_every_call_but_for_reading_is_a_write_of_ones_own(pair: Pair) -> None:
    """Their organization is as it was after all that was tried above."""
    found = [unit.name for unit in pair.theirs("ListOrganizationalUnitsForParent", parent_id=pair.theirs.root_id).organizational_units]
    assert sorted(found) == ["secret-0", "secret-1", "secret-2", "secret-outer"]
    assert pair.theirs("DescribeAccount", account_id=pair.account).account.state == "ACTIVE"
    assert pair.theirs("DescribePolicy", policy_id=pair.policy).policy.content == deny("secret:Action")
    assert pair.theirs("DescribeHandshake", handshake_id=pair.handshake).handshake.state == "OPEN"
    levels = {method.name: BY_NAME[f"organizations:{method.name}"].access.level for method in operations.rpcs("organizations").values()}
    assert all((level == Access.READ) == name.startswith(("Describe", "List")) for name, level in levels.items())


def test_what_denies_is_said_and_not_by_which_policy_of_another_organization(pair: Pair) -> None:
    org = pair.theirs
    org("EnablePolicyType", root_id=org.root_id, policy_type=RCP)
    condition = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": org.id, "aws:PrincipalTag/secret-tag": "secret-value"}}
    document = deny("orders:*", Sid="SecretSid", Principal="*", Condition=condition)
    org.attach(org.policy(document, RCP, "secret-rcp"), org.root_id)
    anybody = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
    question: dict[str, Any] = {"action": "orders:Ship", "resource": f"arn:aws:orders::{pair.account}:order/1", "resource_policy": anybody}
    answer = pair.other.call("Authorize", **question)
    assert (answer.outcome, answer.layer, list(answer.matched)) == (decisions_pb2.OUTCOME_EXPLICITLY_DENIED, decisions_pb2.LAYER_RCP, [])
    explained = pair.other.call("Explain", request=question)
    assert "with an explicit deny in a resource control policy" in explained.sentence
    for secret in ("secret", "Secret", org.id, org.management):
        assert secret not in str(explained).replace(pair.account, "")
    (item,) = pair.other.call("AuthorizeBatch", requests=[question]).items
    assert (item.decision.layer, list(item.decision.matched)) == (decisions_pb2.LAYER_RCP, [])


def test_ones_own_organizations_policies_are_named(pair: Pair) -> None:
    org = pair.theirs
    keys = org.inside(org.account())
    org.attach(org.policy(deny("orders:Burn", Sid="NoFire"), name="no fire"), org.root_id)
    question: dict[str, Any] = {"action": "orders:Burn", "resource": "*"}
    (match,) = pair.other.call("Authorize", _as=keys, **question).matched
    assert (match.policy_name, match.sid) == ("no fire", "NoFire")
    explained = pair.other.call("Explain", _as=keys, request=question)
    (found,) = json.loads(explained.trace_json)["matched"]
    assert (found["layer"], found["level"], found["arn"]) == ("scp", 0, match.policy_arn)
