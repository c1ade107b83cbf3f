"""Every route with every placement of a credential that proves nothing: refused, with AWS's code, and nothing is called."""

import pytest
from sqlalchemy import func, select

from sekisho.errors import Unauthenticated
from sekisho.store.tables import Revision
from tests.wire import attacks, world
from tests.wire.attacks import ATTACKS, Hand
from tests.wire.edge import Edge, query, signed

STATUS = {
    "MissingAuthenticationToken": 403,
    "IncompleteSignature": 400,
    "SignatureDoesNotMatch": 403,
    "InvalidClientTokenId": 403,
    "OptInRequired": 403,
    "ExpiredToken": 403,
    "RequestExpired": 400,
    "MalformedQueryString": 400,
    "UnknownOperationException": 400,
    "BadRequest": 400,
}


@pytest.fixture(scope="module")
def hand(shared: Edge) -> Hand:
    """The credentials that all attacks play with."""
    return attacks.deal(shared.house)


def revision(edge: Edge) -> int:
    """How many writes there were."""
    with edge.house.node.database.read() as session:
        return session.scalar(select(func.max(Revision.number))) or 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused_on_every_route(attack: str, shared: Edge, hand: Hand) -> None:
    make, code = ATTACKS[attack]
    before = revision(shared)
    signed_routes = [operation for operation in world.AWS_OPERATIONS.values() if operation.signed]
    assert len(signed_routes) > 60
    for operation in signed_routes:
        reply = shared.send(make(operation.name, operation.service.signing_name, hand))
        assert (operation.name, reply.code, reply.status) == (operation.name, code, STATUS[code])
        assert hand.good.secret_access_key not in reply.body
    assert revision(shared) == before


def test_the_same_hand_is_let_in_when_it_plays_fair(shared: Edge, hand: Hand) -> None:
    """Otherwise the attacks would prove nothing."""
    for credentials in (hand.good, hand.session, hand.foreign):
        assert shared.send(signed(query("GetCallerIdentity"), credentials, "sts")).status == 200
        assert shared.send(attacks.url("GetCallerIdentity", "sts", credentials)).status == 200
    assert shared.send(signed(query("ListUsers"), hand.good)).status == 200


def test_sentences_are_aws_own(shared: Edge, hand: Hand) -> None:
    said = {
        "nothing_in_a_form": "Request is missing Authentication Token",
        "unknown_key": "The security token included in the request is invalid.",
        "expired_session": "The security token included in the request is expired",
        "wrong_secret": "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        "scope_of_another_service": "Credential should be scoped to correct service: 'sts'. ",
    }
    for attack, sentence in said.items():
        assert shared.send(ATTACKS[attack][0]("GetCallerIdentity", "sts", hand)).message == sentence


def test_attacks_are_of_the_kinds_that_are_metered() -> None:
    """A code that no Unauthenticated error has would pass by the counter."""
    known = {kind.__name__ for kind in Unauthenticated.__subclasses__()}
    assert {code for _, code in ATTACKS.values()} - known == {"MalformedQueryString", "UnknownOperationException", "BadRequest"}
