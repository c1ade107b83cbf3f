"""Authorize with registered resources: the ARN alone is asked, and owner, tags and policy come from memory. On both ways through gRPC."""

import json
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.store.tables import Account
from tests.harness import House
from tests.services.authorize.conftest import Ask
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

TAGS = [{"key": "Env", "value": "prod"}, {"key": "Team", "value": "red"}]


def policy(effect: str = "Allow", principal: Any = "*", **more: Any) -> str:
    statement = {"Sid": "OfTheOrder", "Effect": effect, "Principal": principal, "Action": "orders:Ship", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def order(account: str, number: int = 1) -> str:
    return f"arn:aws:orders::{account}:order/{number}"


@pytest.fixture
def ann(house: House) -> sigv4.Credentials:
    """Who may ask, and may ship what is of the red team."""
    return house.user("ann", allow("authorize:*"), allow("orders:Ship", when={"StringEquals": {"aws:ResourceTag/Team": "red"}}))


def test_tags_that_are_registered_decide(house: House, ann: sigv4.Credentials) -> None:
    question: dict[str, Any] = {"action": "orders:Ship", "resource": order(house.account_id)}
    assert house.call("Authorize", ann, **question).outcome == pb.OUTCOME_IMPLICITLY_DENIED
    house.call("PutResource", resource_arn=order(house.account_id), tags=TAGS)
    assert house.call("Authorize", ann, **question, at_least=house.revision).outcome == pb.OUTCOME_ALLOWED
    house.call("resource:UntagResources", resource_arns=[order(house.account_id)], tag_keys=["Team"])
    assert house.call("Authorize", ann, **question, at_least=house.revision).outcome == pb.OUTCOME_IMPLICITLY_DENIED


def test_a_policy_that_is_registered_decides_and_is_named_by_the_arn(house: House) -> None:
    ben = house.user("ben", allow("authorize:*"))
    arn = f"arn:aws:iam::{house.account_id}:user/ben"
    question: dict[str, Any] = {"action": "orders:Ship", "resource": order(house.account_id)}
    house.call("PutResource", resource_arn=order(house.account_id), resource_policy=policy(principal={"AWS": arn}))
    found = house.call("Authorize", ben, **question)
    assert (found.outcome, found.layer) == (pb.OUTCOME_ALLOWED, pb.LAYER_RESOURCE)
    (match,) = found.matched
    assert (match.policy_arn, match.policy_name, match.sid) == (order(house.account_id), "resource policy", "OfTheOrder")
    house.call("resource:PutResourcePolicy", resource_arn=order(house.account_id), resource_policy=policy("Deny"))
    found = house.call("Authorize", **question, at_least=house.revision)
    assert (found.outcome, found.layer) == (pb.OUTCOME_EXPLICITLY_DENIED, pb.LAYER_RESOURCE), "the root user, too"
    house.call("DeleteResource", resource_arn=order(house.account_id))
    found = house.call("Authorize", ben, **question, at_least=house.revision)
    assert found.outcome == pb.OUTCOME_IMPLICITLY_DENIED


@pytest.mark.parametrize(
    "said",
    [
        {"resource_account": "999988887777"},
        {"resource_tags": {"Env": "dev"}},
        {"resource_tags": {"Colour": "blue"}},
        {"resource_policy": policy("Deny")},
        {"context": [{"key": "aws:ResourceTag/Env", "values": ["dev"]}]},
        {"context": [{"key": "orders:ResourceTag/Env", "values": ["dev"]}]},
    ],
)
def test_a_contradiction_is_an_error_and_no_decision(house: House, ask: Ask, refused: Refused, said: dict[str, Any]) -> None:
    house.call("PutResource", resource_arn=order(house.account_id), tags=TAGS, resource_policy=policy())
    fields = {"action": "orders:Ship", "resource": order(house.account_id), "at_least": house.revision}
    assert refused("Authorize", **fields, **said)[0] == "ResourceMismatch"
    batch = house.call("AuthorizeBatch", requests=[{**fields, **said}, fields])
    assert [item.WhichOneof("item") for item in batch.items] == ["error", "decision"]
    assert batch.items[0].error.code == "ResourceMismatch"
    assert batch.items[1].decision.outcome == pb.OUTCOME_ALLOWED
    assert refused("Explain", request={**fields, **said})[0] == "ResourceMismatch"


def test_equal_values_are_no_contradiction(house: House, ask: Ask) -> None:
    house.call("PutResource", resource_arn=order(house.account_id), tags=TAGS, resource_policy=policy())
    found = ask(
        resource_account=house.account_id,
        resource_tags={"env": "prod"},
        resource_policy=json.dumps(json.loads(policy()), indent=2),
        at_least=house.revision,
    )
    assert found.outcome == pb.OUTCOME_ALLOWED


def test_across_accounts_both_must_allow_and_the_foreign_policy_is_not_shown(house: House) -> None:
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    house.call("PutResource", other, resource_arn=order(theirs), tags=TAGS, resource_policy=policy(principal={"AWS": house.account_id}))
    ann = house.user("ann", allow("authorize:*", "orders:*"))
    question: dict[str, Any] = {"action": "orders:Ship", "resource": order(theirs), "at_least": house.revision}
    found = house.call("Authorize", ann, **question)
    assert found.outcome == pb.OUTCOME_ALLOWED
    assert [match.layer for match in found.matched] == [pb.LAYER_IDENTITY]
    condition = {"StringEquals": {"orders:Secret": "x"}}
    house.call("resource:PutResourcePolicy", other, resource_arn=order(theirs), resource_policy=policy(Condition=condition))
    question["at_least"] = house.revision
    found = house.call("Authorize", ann, **question, encode_authorization_message=True)
    assert (found.outcome, list(found.matched), list(found.missing_keys)) == (pb.OUTCOME_IMPLICITLY_DENIED, [], [])
    said = house.call("DecodeAuthorizationMessage", encoded_message=found.encoded_authorization_message).decoded_message
    assert "OfTheOrder" not in said
    assert "resourcetag" not in said.lower()
    assert "secret" not in said.lower()
    explained = house.call("Explain", ann, request=question)
    for text in (explained.text, explained.trace_json, explained.sentence):
        assert "OfTheOrder" not in text
        assert "Secret" not in text
    own = house.call("Explain", other, request=question)
    assert "OfTheOrder" in own.trace_json, "its own account sees it"


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_explanation_tells_no_tag_that_another_account_has_registered(house: House, effect: str) -> None:
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    tags = [{"key": "Env", "value": "prod"}, {"key": "Team", "value": "hidden-team"}]
    house.call("PutResource", other, resource_arn=order(theirs), tags=tags, resource_policy=policy(principal={"AWS": house.account_id}))
    when = {
        "StringNotEquals": {"aws:ResourceTag/Team": "red", "aws:PrincipalTag/x": "${aws:ResourceTag/team}"},
        "StringEquals": {"aws:ResourceTag/Env": "prod"},
        "StringLike": {"aws:ResourceTag/Env": "${aws:ResourceTag/Team}"} if effect == "Allow" else {"aws:ResourceTag/Team": "hidden-*"},
    }
    ann = house.user("ann", allow("authorize:*"), allow("orders:*", when=when).replace("Allow", effect))
    asked: dict[str, Any] = {"action": "orders:Ship", "resource": order(theirs), "at_least": house.revision}
    asked["resource_tags"] = {"env": "prod"}
    found = house.call("Explain", ann, request=asked)
    assert "hidden-team" not in str(found)
    assert json.loads(found.trace_json)["layers"]
    actual = {row["key"]: row["actual"] for row in rows(found.trace_json) if row["operator"] != "StringLike"}
    assert actual["aws:ResourceTag/Env"] == ["prod"], "which the question says itself"
    assert actual["aws:ResourceTag/Team"] == ["(not shown)"]
    assert found.decision.outcome == (pb.OUTCOME_IMPLICITLY_DENIED if effect == "Allow" else pb.OUTCOME_EXPLICITLY_DENIED)
    own = house.call("PutResource", resource_arn=order(house.account_id), tags=[{"key": "Team", "value": "own-team"}]).resource
    told = house.call("Explain", ann, request={"action": "orders:Ship", "resource": own.resource_arn, "at_least": house.revision})
    assert "own-team" in told.trace_json


def rows(trace_json: str) -> list[dict[str, Any]]:
    """The conditions of a trace."""
    return [
        condition
        for layer in json.loads(trace_json)["layers"]
        for one in layer["policies"]
        for statement in one["statements"]
        for condition in statement["conditions"]
    ]


def test_nobody_but_its_account_can_say_what_a_resource_is(house: House, ask: Ask) -> None:
    other = house.account()
    bucket = "arn:aws:s3:::photos"
    house.call("PutResource", other, resource_arn=bucket, resource_policy=policy("Deny"))
    house.call("PutResource", resource_arn="arn:aws:s3:::others")
    assert ask(resource=bucket, at_least=house.revision).outcome == pb.OUTCOME_ALLOWED, "that is another account's of the same name"
    house.call("PutResource", resource_arn=bucket, resource_policy=policy("Deny"))
    assert ask(resource=bucket, at_least=house.revision).outcome == pb.OUTCOME_EXPLICITLY_DENIED


def test_a_closed_accounts_policies_grant_nothing(house: House) -> None:
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    house.call("PutResource", other, resource_arn=order(theirs), resource_policy=policy())
    question: dict[str, Any] = {"action": "orders:Ship", "resource": order(theirs)}
    assert house.call("Authorize", **question, at_least=house.revision).outcome == pb.OUTCOME_ALLOWED

    def set_status(status: str) -> None:
        with house.node.database.write((theirs,)) as session:
            session.get_one(Account, theirs).status = status
        house.call("CreateGroup", group_name=f"g-{status}")  # a revision, which no bare change of a row has
        house.node.world.committed(house.node.world.point, [theirs])

    set_status("CLOSED")
    assert house.call("Authorize", **question, at_least=house.revision).outcome == pb.OUTCOME_IMPLICITLY_DENIED
    set_status("ACTIVE")
    assert house.call("Authorize", **question, at_least=house.revision).outcome == pb.OUTCOME_ALLOWED


def test_resources_that_are_not_registered_are_asked_as_before(house: House, ask: Ask) -> None:
    house.call("PutResource", resource_arn=order(house.account_id, 1), resource_policy=policy("Deny"))
    for number in range(2, 40):
        assert ask(resource=order(house.account_id, number), resource_tags={"Any": "thing"}).outcome == pb.OUTCOME_ALLOWED
    assert ask(resource=f"arn:aws:carts::{house.account_id}:cart/1", resource_policy=policy("Deny")).outcome == pb.OUTCOME_EXPLICITLY_DENIED
    assert ask(resource=order(house.account_id, 1)).outcome == pb.OUTCOME_EXPLICITLY_DENIED


def test_a_registered_resource_does_not_make_known_who_may_ask(house: House, refused: Refused) -> None:
    house.call("PutResource", resource_arn=order(house.account_id), tags=TAGS)
    stranger = house.user("stranger")
    fields = {"action": "orders:Ship", "resource": order(house.account_id), "resource_tags": {"Env": "dev"}}
    assert refused("Authorize", stranger, **fields)[0] == "AccessDenied"


@pytest.mark.parametrize("resource", ["arn:aws:orders::{}:order/\ud7ff", "arn:aws:orders::{}:" + "o" * 2_000, "arn:aws:orders::{}:order/*"])
def test_arns_that_nobody_can_register_are_decided_without_a_look(house: House, ask: Ask, resource: str) -> None:
    house.call("PutResource", resource_arn=order(house.account_id))
    before = house.node.world.size
    assert ask(resource=resource.replace("{}", house.account_id)).outcome == pb.OUTCOME_ALLOWED
    assert house.node.world.size[0] <= before[0] + 2


def test_tags_of_another_account_are_not_read_by_policies_that_it_granted_nothing(house: House) -> None:
    """A Deny of one's own on each beginning of a tag told it letter by letter, by which of two denials there was. Now there is one, until
    the resource's own policy allows what is asked: then it is decided by the tags, as everywhere.
    """
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    house.call("PutResource", other, resource_arn=order(theirs), tags=[{"key": "Team", "value": "red"}])
    guessing = house.user("mallory", allow("authorize:*"), allow("orders:*"), DENYING % "r*")
    wrong = house.user("trent", allow("authorize:*"), allow("orders:*"), DENYING % "b*")

    def ask(who: sigv4.Credentials, **more: Any) -> Any:
        found = house.call("Authorize", who, action="orders:Ship", resource=order(theirs), at_least=house.revision, **more)
        return found.outcome, found.layer, list(found.matched), list(found.missing_keys)

    assert ask(guessing) == ask(wrong)
    assert ask(guessing)[0] == pb.OUTCOME_IMPLICITLY_DENIED
    for refusal in (policy("Deny"), policy(principal={"AWS": "555566667777"}), policy(principal={"AWS": house.account_id}, **LIKE_BLUE)):
        house.call("resource:PutResourcePolicy", other, resource_arn=order(theirs), resource_policy=refusal)
        assert ask(guessing) == ask(wrong)
    house.call("resource:PutResourcePolicy", other, resource_arn=order(theirs), resource_policy=policy(principal={"AWS": house.account_id}))
    assert ask(guessing)[0] == pb.OUTCOME_EXPLICITLY_DENIED
    assert ask(wrong)[0] == pb.OUTCOME_ALLOWED


def test_a_guess_at_what_another_account_has_registered_is_refused_whether_it_is_right_or_not(house: House) -> None:
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    denied = policy("Deny")
    house.call("PutResource", other, resource_arn=order(theirs), tags=[{"key": "Team", "value": "red"}], resource_policy=denied)
    ann = house.user("ann", allow("authorize:*"), allow("orders:*"))

    def refusal(**more: Any) -> tuple[str, str]:
        with pytest.raises(SekishoError) as caught:
            house.call("Authorize", ann, action="orders:Ship", resource=order(theirs), at_least=house.revision, **more)
        return caught.value.code, caught.value.message

    guesses: list[dict[str, Any]] = [{"resource_tags": {"Team": team}} for team in ("red", "blue")]
    guesses += [{"context": [{"key": "aws:ResourceTag/Team", "values": [team]}]} for team in ("red", "blue")]
    guesses += [{"resource_policy": text} for text in (denied, policy())]
    said = "the resource is registered by another account, which does not tell this one whether what the question says of it is right"
    assert {refusal(**guess) for guess in guesses} == {("ResourceMismatch", said)}


def test_a_tag_that_would_open_a_resource_does_not_do_so_by_being_untold(house: House) -> None:
    """Without the tags, a policy that allows what has none would allow."""
    other = house.account()
    theirs = house.call("GetCallerIdentity", _as=other).account
    untagged = policy(principal={"AWS": house.account_id}, Condition={"Null": {"aws:ResourceTag/Team": "true"}})
    house.call("PutResource", other, resource_arn=order(theirs), tags=[{"key": "Team", "value": "red"}], resource_policy=untagged)
    ann = house.user("ann", allow("authorize:*"), allow("orders:*"))
    question: dict[str, Any] = {"action": "orders:Ship", "resource": order(theirs)}
    assert house.call("Authorize", ann, **question, at_least=house.revision).outcome == pb.OUTCOME_IMPLICITLY_DENIED
    house.call("resource:UntagResources", other, resource_arns=[order(theirs)], tag_keys=["Team"])
    assert house.call("Authorize", ann, **question, at_least=house.revision).outcome == pb.OUTCOME_ALLOWED


GUESS = '{"Effect": "Deny", "Action": "orders:*", "Resource": "*", "Condition": {"StringLike": {"aws:ResourceTag/Team": "%s"}}}'
DENYING = f'{{"Statement": {GUESS}}}'
LIKE_BLUE: dict[str, Any] = {"Condition": {"StringLike": {"aws:ResourceTag/Team": "b*"}}}
