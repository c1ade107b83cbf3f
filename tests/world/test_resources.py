"""Registered resources in a question: found by the ARN alone, never where another account could have put them, and never contradicted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import policy, world
from sekisho.errors import InvalidArgument, Unavailable
from sekisho.world import AccountRecord, Asked, PrincipalRecord, ResourceMismatch, ResourceRecord, Subject, resources

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HOME, OTHER, CLOSED = "111122223333", "444455556666", "777788889999"
ORDER = f"arn:aws:orders:eu-west-1:{HOME}:order/7"
FOREIGN = f"arn:aws:orders:eu-west-1:{OTHER}:order/7"
OF_CLOSED = f"arn:aws:orders:eu-west-1:{CLOSED}:order/7"
BUCKET = "arn:aws:s3:::photos"
EVERYBODY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"orders:Ship","Resource":"*"}]}'


def attached(text: str = EVERYBODY) -> policy.Attached:
    return policy.Attached(policy.compiled(text), name="resource policy")


HELD = attached()
RECORDS: dict[str, world.Record] = {
    HOME: AccountRecord(HOME, "ACTIVE", registers=frozenset(("orders", "s3"))),
    OTHER: AccountRecord(OTHER, "ACTIVE", registers=frozenset(("orders", "s3"))),
    CLOSED: AccountRecord(CLOSED, "CLOSED", registers=frozenset(("orders",))),
    "AIDAANN": PrincipalRecord("AIDAANN", HOME, "user", "ann", f"arn:aws:iam::{HOME}:user/ann"),
    ORDER: ResourceRecord(ORDER, HOME, {"Env": "prod", "Team": "crimson"}, HELD),
    FOREIGN: ResourceRecord(FOREIGN, OTHER, {"Env": "dev"}, HELD),
    OF_CLOSED: ResourceRecord(OF_CLOSED, CLOSED, {"Env": "old"}, HELD),
    f"{BUCKET}#{HOME}": ResourceRecord(BUCKET, HOME, {"Of": "home"}),
    f"{BUCKET}#{OTHER}": ResourceRecord(BUCKET, OTHER, {"Of": "other"}, HELD),
}


class Looked:
    """The records, and which of them were looked up."""

    def __init__(self, records: dict[str, world.Record]) -> None:
        self.records, self.ids = records, list[str]()

    def get(self, id_: str) -> world.Record | None:
        self.ids.append(id_)
        return self.records.get(id_)


def ask(_records: dict[str, world.Record] = RECORDS, **fields: Any) -> world.Question:
    asked = Asked(**{"action": "orders:Ship", "resource": ORDER, "account": HOME} | fields)
    return world.question(Subject("AIDAANN", HOME), asked, _records.get, NOW)


def test_the_arn_alone_says_owner_tags_and_policy() -> None:
    request, layers = ask()
    assert request.owner == HOME
    assert request.context["aws:resourcetag/env"] == "prod"
    assert request.context["aws:resourcetag/team"] == "crimson"
    assert layers.resource is HELD
    request, layers = ask(resource=FOREIGN)
    assert (request.owner, request.context["aws:resourceaccount"], request.context["aws:resourcetag/env"]) == (OTHER, OTHER, "dev")
    assert layers.resource is HELD


@pytest.mark.parametrize(
    "said",
    [
        {"resource_account": HOME},
        {"tags": {"Env": "prod"}},
        {"tags": {"env": "prod", "TEAM": "crimson"}},
        {"given": {"aws:resourcetag/env": "prod"}},
        {"given": {"orders:resourcetag/env": "prod"}},
        {"given": {"orders:amount": "5"}},
        {"resource_policy": attached(EVERYBODY.replace(",", " ,\n "))},
    ],
)
def test_what_is_equal_is_no_contradiction_and_the_rest_is_what_is_registered(said: dict[str, Any]) -> None:
    request, layers = ask(**said)
    assert (request.context["aws:resourcetag/env"], request.context["aws:resourcetag/team"]) == ("prod", "crimson")
    assert layers.resource is HELD


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"resource_account": OTHER}, f"account {OTHER} does not own it"),
        ({"tags": {"Env": "dev"}}, "its tag `Env` is not as the question says"),
        ({"tags": {"Env": "prod", "Colour": "blue"}}, "its tag `Colour`"),
        ({"given": {"aws:resourcetag/colour": "blue"}}, "the condition key `aws:resourcetag/colour`"),
        ({"given": {"aws:resourcetag/env": ("prod", "dev")}}, "the condition key `aws:resourcetag/env`"),
        ({"given": {"aws:resourcetag/env": ()}}, "the condition key `aws:resourcetag/env`"),
        ({"given": {"orders:resourcetag/env": "dev"}}, "the condition key `orders:resourcetag/env`"),
        ({"resource_policy": attached(EVERYBODY.replace("Allow", "Deny"))}, "its policy is not the one in the question"),
    ],
)
def test_a_contradiction_is_an_error_that_tells_nothing_of_what_is_registered(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ResourceMismatch, match=words) as caught:
        ask(**said)
    assert "crimson" not in caught.value.message
    assert "prod" not in caught.value.message


def test_a_policy_is_not_given_for_a_resource_that_is_registered_without_one() -> None:
    with pytest.raises(ResourceMismatch, match="its policy is not the one"):
        ask(resource=BUCKET, resource_policy=HELD)


def test_an_arn_without_an_account_is_each_accounts_own() -> None:
    assert ask(resource=BUCKET)[0].context["aws:resourcetag/of"] == "home"
    request, layers = ask(resource=BUCKET, resource_account=OTHER)
    assert (request.owner, request.context["aws:resourcetag/of"], layers.resource) == (OTHER, "other", HELD)
    only_other = {id_: record for id_, record in RECORDS.items() if id_ != f"{BUCKET}#{HOME}"}
    request, layers = ask(only_other, resource=BUCKET)
    assert (request.owner, layers.resource) == (HOME, None), "what another account has registered says nothing here"
    assert "aws:resourcetag/of" not in request.context


def test_a_policy_grants_nothing_once_the_account_of_its_resource_is_closed() -> None:
    request, layers = ask(resource=OF_CLOSED)
    assert (request.owner, "aws:resourcetag/env" in request.context) == (CLOSED, False)
    assert layers.resource is None
    active = RECORDS | {CLOSED: AccountRecord(CLOSED, "ACTIVE", registers=frozenset(("orders",)))}
    assert ask(active, resource=OF_CLOSED)[1].resource is HELD


@pytest.mark.parametrize(
    "resource",
    [
        f"arn:aws:carts:eu-west-1:{HOME}:cart/7",
        "arn:aws:orders:eu-west-1:aws:order/7",
        f"arn:aws:orders:eu-west-1:{HOME}:order/*",
        f"arn:aws:orders:eu-west-1:{HOME}:order/\0",
        f"arn:aws:orders:eu-west-1:{HOME}:order/a b",
        f"arn:aws:orders:eu-west-1:{HOME}:" + "x" * 1_000,
        "arn:aws:orders",
        "orders:7",
        "*",
    ],
)
def test_what_cannot_be_registered_is_never_looked_up(resource: str) -> None:
    looked = Looked(RECORDS)
    world.question(Subject("AIDAANN", HOME), Asked("orders:Ship", resource, account=HOME), looked.get, NOW)
    assert [id_ for id_ in looked.ids if id_.startswith("arn:")] == []


def test_accounts_that_register_nothing_cost_no_look_up() -> None:
    looked = Looked(RECORDS | {HOME: AccountRecord(HOME, "ACTIVE")})
    world.question(Subject("AIDAANN", HOME), Asked("orders:Ship", ORDER, account=HOME), looked.get, NOW)
    assert looked.ids == [HOME, "AIDAANN"]


def test_an_asker_who_knows_all_of_the_resource_has_nothing_looked_up() -> None:
    request, layers = ask(registered=False, tags={"Env": "dev"})
    assert (request.context["aws:resourcetag/env"], layers.resource) == ("dev", None)


def test_a_record_of_another_account_or_kind_in_its_place_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        ask(RECORDS | {ORDER: ResourceRecord(ORDER, OTHER)})
    with pytest.raises(Unavailable):
        ask(RECORDS | {ORDER: RECORDS[HOME]})


def test_keys_of_two_resources_are_never_the_same() -> None:
    free = ["arn:aws:s3:::a", f"arn:aws:s3:::a#{HOME}"]
    owned = [f"arn:aws:s3::{HOME}:a", f"arn:aws:s3::{HOME}:a#{HOME}"]
    keys = [resources.key(account, text) for text in free for account in (HOME, OTHER)] + [resources.key(HOME, text) for text in owned]
    assert len(set(keys)) == 6


@pytest.mark.parametrize(
    ("text", "type_"),
    [(ORDER, "order"), (f"arn:aws:orders::{HOME}:order:7", "order"), (BUCKET, ""), (f"arn:aws:x::{HOME}:a b/c", ""), ("arn:a:b::1:/x", "")],
)
def test_the_type_is_what_stands_before_the_first_slash_or_colon(text: str, type_: str) -> None:
    assert resources.type_of(text) == type_


def test_whether_there_is_room_for_the_tags_of_another_account_tells_nothing_of_them() -> None:
    """A context up to the brim told by an error how long they are, and a guess in the question that it is right."""
    answers: dict[tuple[int, bool], set[str]] = {}
    for length in (0, 256):
        records = RECORDS | {FOREIGN: ResourceRecord(FOREIGN, OTHER, {"Team": "crimson", "Of": "x" * length}, HELD)}
        for most in (130_900, 130_500, 110_000):
            given: dict[str, Any] = {f"orders:k{number}": ("x" * 8_000,) * 2 for number in range(most // 16_010)}
            given["orders:rest"] = ("x" * 8_000, "x" * (most % 16_010 - 8_000)) if most % 16_010 > 8_000 else "x" * (most % 16_010)
            for tags in ({}, {"Team": "crimson"}, {"Team": "blue"}):
                try:
                    request, _ = ask(records, action="orders:Read", resource=FOREIGN, given=given, tags=tags)
                    answer = str(sorted(request.context))
                except InvalidArgument as error:
                    answer = error.message
                answers.setdefault((most, bool(tags)), set()).add(answer)
    assert [len(said) for said in answers.values()] == [1] * 6, "the same to each question, whatever the tags are"
    assert "aws:principalarn" in answers[110_000, False].pop(), "there is room"
