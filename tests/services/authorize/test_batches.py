"""A batch answers each question as Authorize does, however near its questions are to one another."""

import json
import random
from datetime import timedelta
from typing import Any

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.sigv4 import bearer
from tests import clock
from tests.harness import House
from tests.services.iam.documents import allow

GRANTS = (
    allow("orders:Ship", on="arn:aws:orders:*:*:order/${aws:username}"),
    allow("orders:*", when={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
    allow("orders:Read", when={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    allow("orders:Count", when={"NumericLessThan": {"orders:amount": "5"}}),
    allow("orders:*", when={"StringEquals": {"aws:ResourceAccount": "111122223333"}}).replace("Allow", "Deny"),
)


def resource_policy(action: str) -> str:
    """Everybody may do that."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def near(chance: random.Random, subjects: list[dict[str, str]], account: str) -> pb.AuthorizeRequest:
    """A question that differs from others in a field or two."""
    asked: dict[str, Any] = {
        "action": chance.choice(("orders:Ship", "orders:Read", "orders:read", "orders:Count")),
        "resource": chance.choice(
            ("*", "arn:aws:orders:::order/ann", f"arn:aws:orders::{account}:order/Ann", "arn:aws:orders::x:order/ann")
        ),
        **chance.choice(subjects),
    }
    if chance.random() < 0.5:
        asked["resource_tags"] = chance.choice(({"team": "a"}, {"team": "b"}, {"Team": "a"}, {"team": "a", "Team": "b"}, {"team": ""}))
    if chance.random() < 0.5:
        key, values = chance.choice(
            (("aws:SourceIp", ["10.0.0.1"]), ("aws:SourceIp", ["192.0.2.1"]), ("orders:amount", ["3"]), ("orders:amount", []))
        )
        asked["context"] = [pb.ContextEntry(key=key, values=values, multivalued=chance.random() < 0.3)]
        if chance.random() < 0.2:
            asked["context"] += [pb.ContextEntry(key="aws:requestedregion", values=["eu-west-1"])]
        if chance.random() < 0.1:
            asked["context"] += [pb.ContextEntry(key="AWS:resourcetag/team", values=["a"])]
    if chance.random() < 0.2:
        asked["resource_account"] = chance.choice((account, "111122223333", "nobody"))
    if chance.random() < 0.2:
        asked["resource_policy"] = chance.choice((resource_policy("orders:Ship"), resource_policy("orders:Read"), "{}"))
    return pb.AuthorizeRequest(**asked)


def single(house: House, request: pb.AuthorizeRequest) -> tuple[Any, ...]:
    try:
        answer = house.call("Authorize", **{field.name: value for field, value in request.ListFields()})
    except SekishoError as error:
        return error.code, error.message
    answer.decision_id = ""
    return ("answer", answer)


def of_item(item: pb.BatchItem) -> tuple[Any, ...]:
    if item.HasField("error"):
        return item.error.code, item.error.message
    item.decision.decision_id = ""
    return ("answer", item.decision)


def test_each_question_is_answered_as_authorize_answers_it(house: House) -> None:
    chance, account = random.Random(11), house.account_id
    subjects: list[dict[str, str]] = [{}, {"principal_arn": f"arn:aws:iam::{account}:user/nobody"}, {"bearer_token": "x"}]
    for name, team in (("ann", "a"), ("bob", "b"), ("cyd", "a")):
        keys = house.user(name, *GRANTS, tags=[{"key": "team", "value": team}])
        subjects += [{"principal_arn": f"arn:aws:iam::{account}:user/{name}"}] * 3
        subjects += [{"bearer_token": bearer.make(keys, "sekisho", clock.now() - timedelta(minutes=1))}]
    seen = set()
    for _ in range(4):
        questions = [near(chance, subjects, account) for _ in range(120)]
        found = [of_item(item) for item in house.call("AuthorizeBatch", requests=questions).items]
        for question, item in zip(questions, found, strict=True):
            expected = single(house, question)
            assert item == expected, question
            seen.add(expected[0] if expected[0] != "answer" else expected[1].outcome)
    assert seen >= {1, 2, 3, "InvalidContext", "NoSuchPrincipal", "MalformedPolicyDocument"}


def test_each_answer_has_a_name_of_its_own(house: House) -> None:
    """And one that is not allowed has its reasons sealed, where that was asked for."""
    questions = [{"action": "orders:Ship", "resource": f"arn:aws:orders:::order/{n}"} for n in range(3)]
    house.user("dan")
    denied = {"action": "orders:Ship", "resource": "*", "principal_arn": f"arn:aws:iam::{house.account_id}:user/dan"}
    items = house.call("AuthorizeBatch", requests=[*questions, {**denied, "encode_authorization_message": True}, denied]).items
    ids = [item.decision.decision_id for item in items]
    assert [id_.rpartition("/")[2] for id_ in ids] == ["0", "1", "2", "3", "4"]
    assert len({id_.rpartition("/")[0] for id_ in ids}) == 1
    assert [item.decision.outcome for item in items] == [1, 1, 1, 3, 3]
    assert [item.decision.encoded_authorization_message != "" for item in items] == [False, False, False, True, False]
