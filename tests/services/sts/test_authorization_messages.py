"""DecodeAuthorizationMessage: who reads which message, and what it says; no other text opens."""

import json
import random
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import authorization_messages
from sekisho.credentials.key_ring import SESSIONS
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import new_account, token

INVALID = ("InvalidAuthorizationMessageException", "Message is not valid")
DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Days",
                "Effect": "Deny",
                "Action": "orders:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"orders:Day": "sunday"}},
            }
        ],
    }
)


def denied(house: House, who: str = "ann", **fields: Any) -> Any:
    """A denial about a user, with its message."""
    return house.call(
        "Authorize",
        principal_arn=f"arn:aws:iam::{house.account_id}:user/{who}",
        action="orders:Ship",
        resource="arn:aws:orders:eu-west-1::order/7",
        encode_authorization_message=True,
        **fields,
    )


def decoded(house: House, message: str, **fields: Any) -> dict[str, Any]:
    """The content of a message."""
    found: dict[str, Any] = json.loads(house.call("DecodeAuthorizationMessage", encoded_message=message, **fields).decoded_message)
    return found


def test_a_denial_says_why_in_the_shape_of_aws(house: House) -> None:
    house.user("ann", DENY)
    made = denied(house, context=[{"key": "orders:Day", "values": ["sunday"]}])
    found = decoded(house, made.encoded_authorization_message)
    conditions = {
        item["key"]: [value["value"] for value in item["values"]["items"]] for item in found["context"].pop("conditions")["items"]
    }
    user = house.call("GetUser", user_name="ann").user
    assert found == {
        "allowed": False,
        "explicitDeny": True,
        "matchedStatements": {
            "items": [
                {
                    "statementId": "Days",
                    "effect": "DENY",
                    "principals": {"items": [{"value": user.user_id}]},
                    "principalGroups": {"items": []},
                    "actions": {"items": [{"value": "orders:*"}]},
                    "resources": {"items": [{"value": "*"}]},
                    "conditions": {"items": [{"key": "orders:Day", "values": {"items": [{"value": "sunday"}]}}]},
                }
            ]
        },
        "failures": {"items": []},
        "context": {
            "principal": {"id": user.user_id, "name": "ann", "arn": user.arn},
            "action": "orders:Ship",
            "resource": "arn:aws:orders:eu-west-1::order/7",
        },
    }
    assert conditions["orders:day"] == ["sunday"]
    assert conditions["aws:username"] == ["ann"]


def test_an_implicit_denial_has_no_statement(house: House) -> None:
    house.user("ann")
    found = decoded(house, denied(house).encoded_authorization_message)
    assert (found["allowed"], found["explicitDeny"], found["matchedStatements"]) == (False, False, {"items": []})


def test_nothing_is_encoded_unasked_or_of_an_allow(house: House) -> None:
    house.user("ann")
    house.user("bob", allow("orders:Ship"))
    assert not house.call(
        "Authorize", principal_arn=f"arn:aws:iam::{house.account_id}:user/ann", action="orders:Ship", resource="*"
    ).encoded_authorization_message
    assert not denied(house, "bob").encoded_authorization_message


def test_each_question_of_a_batch_and_an_explanation_have_their_own(house: House) -> None:
    house.user("ann")
    arn = f"arn:aws:iam::{house.account_id}:user/ann"
    asked = [
        {"principal_arn": arn, "action": "orders:Ship", "resource": "*", "encode_authorization_message": encode} for encode in (True, False)
    ]
    first, second = house.call("AuthorizeBatch", requests=asked).items
    assert decoded(house, first.decision.encoded_authorization_message)["context"]["action"] == "orders:Ship"
    assert not second.decision.encoded_authorization_message
    explained = house.call("Explain", request=asked[0])
    assert decoded(house, explained.decision.encoded_authorization_message)["context"]["principal"]["arn"] == arn


def test_it_takes_the_permission_and_the_account(house: House, refused: Refused) -> None:
    ann, bob = house.user("ann"), house.user("bob", allow("sts:DecodeAuthorizationMessage"))
    message = denied(house).encoded_authorization_message
    assert decoded(house, message, _as=bob)["allowed"] is False
    assert refused("DecodeAuthorizationMessage", _as=ann, encoded_message=message)[0] == "AccessDenied"
    assert refused("DecodeAuthorizationMessage", _as=house.account(), encoded_message=message) == INVALID


def test_what_another_accounts_service_asked_tells_of_the_request_alone(house: House) -> None:
    """The message is for the account of the principal, and says nothing of policies on either side."""
    other = House(house.node, new_account(house))
    ann = house.user("ann", DENY)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "Secret", "Effect": "Deny", "Principal": "*", "Action": "orders:Ship", "Resource": "*"}
    ]})  # fmt: skip
    made = other.call(
        "Authorize",
        bearer_token=token(ann),
        action="orders:Ship",
        resource="*",
        resource_policy=policy,
        encode_authorization_message=True,
    )
    message = made.encoded_authorization_message
    found = decoded(house, message)
    assert found["matchedStatements"] == {"items": []}
    assert not [item for item in found["context"]["conditions"]["items"] if item["key"].startswith("aws:resource")]
    with pytest.raises(Exception, match="Message is not valid"):
        decoded(other, message)


def test_no_character_of_a_message_can_be_another(house: House, refused: Refused) -> None:
    house.user("ann")
    message = denied(house).encoded_authorization_message
    for at in range(0, len(message), 7):
        changed = message[:at] + ("A" if message[at] != "A" else "B") + message[at + 1 :]
        assert refused("DecodeAuthorizationMessage", encoded_message=changed) == INVALID


def made_up(house: House) -> dict[str, str]:
    """Texts that are no message."""
    now = clock.now()
    session = house.call("GetSessionToken", _as=house.user("eve")).credentials.session_token
    other = house.node.ring.seal(SESSIONS, b"{}", ("authorization_messages", "content", house.account_id))
    return {
        "nothing of ours": "AAAA",
        "no base64": "%%%%",
        "other letters": "关所",
        "a session token": session,
        "padded": authorization_messages.sealed([{}], house.account_id, house.node.ring, now) + "=",
        "a line's end": authorization_messages.sealed([{}], house.account_id, house.node.ring, now) + "\n",
        "of a day ago": authorization_messages.sealed([{}], house.account_id, house.node.ring, now - timedelta(days=1)),
        "of another account": authorization_messages.sealed([{}], "111122223333", house.node.ring, now),
        "not packed": urlsafe_b64encode(other).rstrip(b"=").decode(),
    }


def test_texts_that_are_no_message(house: House, refused: Refused) -> None:
    for name, text in made_up(house).items():
        assert refused("DecodeAuthorizationMessage", encoded_message=text) == INVALID, name
    assert refused("DecodeAuthorizationMessage", encoded_message="A" * 10_241)[0] == "ValidationError"


def test_what_does_not_fit_is_left_out(house: House) -> None:
    house.user("ann", DENY)
    noise = [random.Random(number).randbytes(28).hex() for number in range(250)]
    context: list[dict[str, Any]] = [{"key": "orders:Day", "values": ["sunday"]}]
    context += [{"key": f"orders:Noise{number}", "values": noise, "multivalued": True} for number in range(2)]
    message = denied(house, context=context).encoded_authorization_message
    assert 0 < len(message) <= 10_240
    found = decoded(house, message)
    assert (len(found["matchedStatements"]["items"]), found["context"]["conditions"]) == (1, {"items": []})


def test_a_session_of_a_user_cannot_decode(house: House, refused: Refused) -> None:
    made = house.call("GetSessionToken", _as=house.user("ann", allow("*"))).credentials
    session = sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)
    house.user("ben")
    message = denied(house, "ben").encoded_authorization_message
    assert refused("DecodeAuthorizationMessage", _as=session, encoded_message=message)[0] == "AccessDenied"
