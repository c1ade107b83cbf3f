"""Requests for simulations: what each of their members means, which are refused, and where pages end."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import policy
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.policy import steps
from sekisho.policy.budget import TooMuchWork
from sekisho.services.iam import entities, policy_sources, simulations, trust
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.store.tables import Group, Role, User
from sekisho.world import Acting, Subject
from tests.calls.fakes import ACCOUNT, NEVER, OTHER, attached
from tests.services.iam.documents import allow
from tests.services.iam.documents import trust as trusting

ALICE = f"arn:aws:iam::{ACCOUNT}:user/dev/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def said(function: Any, *given: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        function(*given)
    return caught.value.code, caught.value.message


def calling(*rows: Any, **parts: Any) -> Any:
    """A call in whose account there are these rows, by ARN."""
    looked: list[str] = []

    def row(table: Any, named: str) -> Any:
        looked.append(named)
        return next((one for one in rows if isinstance(one, table) and entities.arn_of(one) == named), None)

    return SimpleNamespace(account_id=ACCOUNT, deadline=NEVER, row=row, looked=looked, session=None, **parts)


def made(table: Any, name: str, path: str = "/", **columns: Any) -> Any:
    return table(id=name.upper(), account_id=ACCOUNT, name=name, name_key=name, path=path, **columns)


@pytest.mark.parametrize(
    ("fields", "levels", "message"),
    [
        ({"resource_arns": ["a"] * 1000, "action_names": ["a"] * 10_000}, [], ""),
        ({"resource_arns": ["a"] * 1001}, [], "A simulation takes at most 1000 resources."),
        ({"action_names": ["a"] * 10_001}, [], "A simulation takes at most 10000 actions."),
        ({"policy_input_list": ["aa", "bb"], "permissions_boundary_policy_input_list": ["cc"]}, ["dd", "ee"], ""),
        ({"policy_input_list": ["aa", "bb"], "permissions_boundary_policy_input_list": ["cc"], "resource_policy": "x"}, ["dd", "ee"], "11"),
        ({"policy_input_list": ["a" * 11]}, [], "11"),
    ],
    ids=["the_most", "resources", "actions", "the_most_characters", "characters_of_all", "characters_of_one"],
)
def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], levels: list[str], message: str) -> None:
    monkeypatch.setattr(policy_sources, "MOST_CHARACTERS", 10)
    request = pb.SimulateCustomPolicyRequest(**fields)
    if not message:
        simulations._refuse_excess(request, levels)
    elif message == "11":
        sentence = "The policies of the request have 11 characters together; at most 10 are allowed."
        assert said(simulations._refuse_excess, request, levels) == ("LimitExceeded", sentence)
    else:
        assert said(simulations._refuse_excess, request, levels) == ("InvalidInput", message)


def test_each_action_is_decided_once() -> None:
    assert simulations._actions(["s3:B", "s3:A", "s3:B"]) == ["s3:B", "s3:A"]


@pytest.mark.parametrize("name", ["s3:", ":Get", ":b:c", "s3", "", "s3:Get*", "s3:Ge?", "*:Get"])
def test_what_is_the_name_of_no_action(name: str) -> None:
    assert said(simulations._actions, ["s3:A", name]) == ("InvalidInput", f"Invalid input: {name} is not the name of an action.")


def test_resources_are_each_decided_once_and_a_lone_star_means_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped: list[None] = []
    monkeypatch.setattr(steps, "step", lambda: stepped.append(None))
    assert simulations._resources([]) == simulations._resources(["*"]) == ()
    assert simulations._resources([ROLE, "*", ROLE]) == (ROLE, "*")
    assert len(stepped) == 4
    assert said(simulations._resources, [ROLE, "bucket"]) == ("InvalidInput", "Invalid input: bucket is not an ARN.")


def entries(*given: tuple[str, str, list[str]]) -> Any:
    return pb.SimulateCustomPolicyRequest(
        context_entries=[
            pb.ContextEntry(context_key_name=name, context_key_type=kind, context_key_values=values) for name, kind, values in given
        ]
    )


def test_keys_have_one_value_or_a_list_type() -> None:
    given = entries(("s3:a", "string", ["1"]), ("s3:b", "stringList", ["2"]), ("s3:c", "ipList", []), ("s3:d", "numericList", ["3", "4"]))
    assert simulations._keys(given) == policy.context(
        {"s3:a": "1", "s3:b": ("2",), "s3:c": (), "s3:d": ("3", "4")}, {"s3:b", "s3:c", "s3:d"}
    )
    for kind in ("", "string", "numeric", "boolean", "ip", "binary", "date"):
        for values in ([], ["1", "2"]):
            sentence = "The context key s3:a must have one value, or a list type."
            assert said(simulations._keys, entries(("s3:a", kind, values))) == ("InvalidInput", sentence)
    assert said(simulations._keys, entries(("", "stringList", ["1"])))[1] == "The context key  must have one value, or a list type."
    assert said(simulations._keys, entries(("s3:A", "string", ["1"]), ("S3:a", "string", ["1"])))[1] == "A context key is given twice."
    code, message = said(simulations._keys, entries(("s3:a", "string", ["x" * 100_000])))
    assert (code, message) == ("InvalidInput", said(policy.context, {"s3:a": ("x" * 100_000,)}, set())[1])


def test_a_caller_is_a_user_of_any_account() -> None:
    call = calling(made(User, "alice", "/dev/"))
    assert simulations._user(call, ALICE) == Subject("ALICE", ACCOUNT)
    other = ALICE.replace(ACCOUNT, OTHER)
    named = policy.Principal("user", other, OTHER)
    assert simulations._user(call, other) == Acting(Subject("", OTHER), named, {"aws:username": "alice"}, identity=())
    assert said(simulations._user, call, "alice")[0] == "InvalidInput"
    for wrong in ("arn:aws:iam::aws:user/alice", ROLE, f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:s3:::user/alice"):
        assert said(simulations._user, call, wrong) == ("InvalidInput", f"Invalid CallerArn: {wrong} is not the ARN of a user.")


def test_a_group_stands_for_a_user_in_it() -> None:
    assert simulations._subject(made(Role, "r")) == Subject("R", ACCOUNT)
    principal = policy.Principal("user", f"arn:aws:iam::{ACCOUNT}:group/g", ACCOUNT)
    assert simulations._subject(made(Group, "g")) == Acting(Subject("", ACCOUNT), principal, {}, identity=())


@pytest.mark.parametrize(("text", "account"), [("", ""), (OTHER, OTHER), (f"arn:aws:iam::{OTHER}:root", OTHER)])
def test_an_owner_is_an_account(text: str, account: str) -> None:
    assert simulations._owner(text) == account


@pytest.mark.parametrize("text", ["12345", "arn:aws:s3:::bucket", "arn:aws:iam::aws:policy/p"])
def test_what_names_no_account(text: str) -> None:
    assert said(simulations._owner, text) == ("InvalidInput", f"Invalid ResourceOwner: {text} names no account.")


def test_service_control_policies_are_read_level_by_level() -> None:
    levels = [
        pb.OrderedOrganizationPolicyType(service_control_policy_input_list=texts) for texts in ([allow("a:b")], [], [allow("c:d")] * 2)
    ]
    first, none, third = simulations._scps(calling(), levels) or ()
    assert [[one.name.rpartition("Input")[0] for one in level] for level in (first, none, third)] == [
        ["OrderedOrganizationPolicyInputList.1.ServiceControlPolicy"],
        [],
        ["OrderedOrganizationPolicyInputList.3.ServiceControlPolicy"] * 2,
    ]
    assert [one.name for one in third] == [f"OrderedOrganizationPolicyInputList.3.ServiceControlPolicyInputList.{n}" for n in (1, 2)]
    assert simulations._scps(calling(), []) is None
    wrong = [*levels[:1], pb.OrderedOrganizationPolicyType(service_control_policy_input_list=["{}"])]
    message = "Invalid input: OrderedOrganizationPolicyInputList.2.ServiceControlPolicyInputList.1: "
    assert said(simulations._scps, calling(), wrong)[1].startswith(message)


def test_the_policies_of_the_callers_own_organization() -> None:
    one, other = attached("s3:*"), attached("sqs:*", effect="Deny")
    call = calling(caller=SimpleNamespace(scps=((one,), (one, other))))
    shown = [SourcePolicy(each, each.program.text, "input", "inline") for each in (one, other)]
    assert simulations._organization(call) == ((shown[0],), (shown[0], shown[1]))
    assert simulations._organization(calling(caller=SimpleNamespace(scps=None))) is None


def test_trust_policies_of_the_roles_that_may_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, written = trusting("AIDAANNANNANNANNANNAN"), trusting(ALICE)
    monkeypatch.setattr(trust, "shown", lambda session, text: {stored: written}[text])
    call = calling(made(Role, "r", trust_policy=stored))
    request = pb.SimulateCustomPolicyRequest(action_names=["s3:Get"], resource_arns=[ALICE, ROLE, f"{ROLE}2"])
    assert (simulations._trusts(call, request), call.looked) == ({}, [])
    request.action_names.append("sts:AssumeRole")
    (found,) = simulations._trusts(call, request).items()
    assert (found[0], call.looked) == (ROLE, [ROLE, f"{ROLE}2"])
    shown = found[1]
    assert (shown.text, shown.kind, shown.name, shown.id) == (written, "input", "role_r_AssumeRolePolicyDocument", shown.name)
    assert (shown.attached.name, shown.attached.program.policy) == ("AssumeRolePolicyDocument", policy.parse(stored))


INLINE = SourcePolicy(attached("a:b"), "", "inline", "Own", owner_kind="user", owner_name="Alice")
MANAGED = SourcePolicy(attached("a:b"), "", "user-managed", "m", arn=f"arn:aws:iam::{ACCOUNT}:policy/m")
OWN = {"policy_name": "own", "attachment_type": "user", "attachment_name": "alice"}


@pytest.mark.parametrize(
    ("identifier", "inline", "managed", "boundary"),
    [
        ({"policy_type": "inline"}, True, False, False),
        ({"policy_type": "user-managed"}, False, True, False),
        ({"policy_type": "permission-boundary"}, False, False, True),
        ({"policy_arn": MANAGED.arn}, False, True, False),
        ({"policy_arn": f"{MANAGED.arn}2"}, False, False, False),
        ({"policy_arn": f"{MANAGED.arn}2", "policy_type": "permission-boundary"}, False, False, False),
        ({"policy_arn": MANAGED.arn, "policy_type": "permission-boundary"}, False, False, True),
        ({"policy_arn": MANAGED.arn, "policy_type": "inline"}, False, False, False),
        ({"inline_policy_identifier": OWN}, True, False, False),
        ({"inline_policy_identifier": OWN | {"policy_name": "OWN", "attachment_name": "ALICE"}}, True, False, False),
        ({"inline_policy_identifier": OWN, "policy_type": "inline"}, True, False, False),
        ({"inline_policy_identifier": OWN, "policy_type": "user-managed"}, False, False, False),
        ({"inline_policy_identifier": OWN | {"policy_name": "other"}}, False, False, False),
        ({"inline_policy_identifier": OWN | {"attachment_type": "group"}}, False, False, False),
        ({"inline_policy_identifier": OWN | {"attachment_name": "bob"}}, False, False, False),
    ],
)  # fmt: skip
def test_which_policies_an_identifier_means(identifier: dict[str, Any], inline: bool, managed: bool, boundary: bool) -> None:
    means = simulations._excluded(pb.PolicyIdentifier(**identifier))
    assert (means(INLINE, "inline"), means(MANAGED, "user-managed"), means(MANAGED, "permission-boundary")) == (inline, managed, boundary)


def test_an_identifier_must_mean_something() -> None:
    sentence = "A policy to exclude is named by its type, its ARN or its name."
    assert said(simulations._excluded, pb.PolicyIdentifier()) == ("InvalidInput", sentence)
    assert said(simulations._excluded, pb.PolicyIdentifier(policy_arn="none"))[0] == "InvalidInput"
    found: Any = [MANAGED]
    never, always = (lambda *_: False), (lambda one, place: (one, place) == (MANAGED, "permission-boundary"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(policy_sources, "boundary", lambda *_: found)
        call, source = calling(), made(User, "alice")
        assert simulations._boundary(call, source, [never]) == (MANAGED,)
        assert simulations._boundary(call, source, [never, always]) is None
        found = None
        assert simulations._boundary(call, source, [never]) is None


class Marks:
    """Markers that say what they hold."""

    def open(self, marker: str) -> list[int]:
        return [int(marker)]

    def marker(self, values: list[int]) -> str:
        return str(*values)


class Sized:
    """Results of so many bytes, or none where an action is too much work."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.paused: list[None] = []

    def result(self, action: str, resources: tuple[str, ...], compose: Any) -> Any:
        self.asked.append((action, resources))
        compose(lambda lookup, now: (lookup, now))
        size = self.sizes.get(action.partition(":")[2], 10)
        if not size:
            raise TooMuchWork("")
        return SimpleNamespace(ByteSize=lambda: size, name=action.partition(":")[2])


def page(monkeypatch: pytest.MonkeyPatch, simulation: Any, **fields: Any) -> tuple[str, str | None]:
    """The names of the results of a page, and its marker."""
    monkeypatch.setattr(entities, "cursor", lambda *_: Marks())
    monkeypatch.setattr(simulations, "MOST_BYTES", 100)
    turn: Any = SimpleNamespace(pause=lambda: simulation.paused.append(None))
    reader = SimpleNamespace(get_record="lookup")
    world = SimpleNamespace(consistent=lambda compose: (compose(reader), "point"))
    call = calling(now="now", node=SimpleNamespace(world=world))
    request = pb.SimulateCustomPolicyRequest(**{"action_names": [f"s3:{one}" for one in "ABCDE"]} | fields)
    results: Any
    results, marker = simulations._page(call, request, simulation, turn)
    return "".join(one.name for one in results), marker


@pytest.mark.parametrize(
    ("sizes", "fields", "found"),
    [
        ({}, {}, ("ABCDE", None)),
        ({}, {"max_items": 5}, ("ABCDE", None)),
        ({}, {"max_items": 2}, ("AB", "2")),
        ({}, {"max_items": 2, "marker": "2"}, ("CD", "4")),
        ({}, {"max_items": 2, "marker": "4"}, ("E", None)),
        ({"B": 0}, {}, ("A", "1")),
        ({"B": 0}, {"marker": "2"}, ("CDE", None)),
        ({"B": 90}, {"max_items": 4}, ("AB", "2")),
        ({"B": 91}, {}, ("A", "1")),
        ({"A": 100}, {}, ("A", "1")),
        ({}, {"resource_arns": [f"{ROLE}{n}" for n in range(1000)]}, ("AB", "2")),
    ],
)  # fmt: skip
def test_where_a_page_ends(monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int], fields: dict[str, Any], found: tuple[str, Any]) -> None:
    simulation = Sized(**sizes)
    assert page(monkeypatch, simulation, **fields) == found
    assert len(simulation.paused) == len(simulation.asked)
    assert {resources for _, resources in simulation.asked} == {tuple(fields.get("resource_arns", ()))}


def test_a_page_without_any_result_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "The simulation of s3:{} is too large: give fewer resources or smaller policies in one call."
    for name, sizes, fields in (("A", {"A": 0}, {}), ("A", {"A": 101}, {}), ("C", {"C": 0}, {"marker": "2"})):
        assert said(lambda one, more: page(monkeypatch, one, **more), Sized(**sizes), fields) == ("LimitExceeded", sentence.format(name))
    assert page(monkeypatch, Sized(), marker="5") == ("", None)
    said_of_handling = said(lambda: page(monkeypatch, Sized(), resource_handling_option="EC2-VPC-EBS"))
    assert said_of_handling[1].startswith("ResourceHandlingOption is not supported: ")
