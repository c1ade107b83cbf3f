"""The documents of issuers over HTTP, read by clients of others: PyJWT's, and joserfc's."""

import http.client
import json
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from sekisho.calls.call import Node
from sekisho.credentials import accounts, signing_keys
from sekisho.credentials.issuer_urls import Document
from sekisho.edges import aws, issuers
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Listener
from sekisho.node import listeners
from sekisho.node.roles import HTTP, ROLES
from tests import clock, harness
from tests.harness import House
from tests.services.sts import tokens
from tests.services.sts.tokens import SHOP, issued, parts

NOBODY = "iss-" + "0" * 32


@dataclass
class Site:
    """A node behind a listener."""

    node: Node
    address: str
    documents: issuers.Documents

    def house(self) -> House:
        """A new account."""
        return House(self.node, accounts.create(self.node.database, self.node.ring))

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """An answer, without what is another each time."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(method, path)
        found = connection.getresponse()
        headers = {name.lower(): value for name, value in found.getheaders()}
        for each in ("date", "x-amzn-requestid"):
            headers.pop(each, None)
        body = found.read()
        connection.close()
        return found.status, headers, body


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        house = stack.enter_context(harness.house(database_url, tmp_path))
        bound = listeners.reserve("127.0.0.1:0")
        bound.listen()
        address = listeners.address(bound)
        node = replace(house.node, issuer_url=f"http://{address}")
        lanes = ROLES["all"].lanes(HTTP)
        stack.callback(lanes.close)
        documents = issuers.application(node, lanes, timedelta(0))
        serving = Listener(listener.application({}, (documents, aws.application(node, lanes, timedelta(minutes=5)))), bound)
        serving.start()
        stack.callback(serving.stop)
        yield Site(node, address, documents)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Have the clock of calls and of documents stand still."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return moment

    with clock.stopped(moment), mock.patch.object(issuers, "datetime", Stopped):
        yield


def verified(
    token: str, issuer: str, audience: str = SHOP, *, leeway: float = 0, client: jwt.PyJWKClient | None = None
) -> dict[str, object]:
    """The claims of a token, as PyJWT takes them from what the issuer's URL leads to."""
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:  # noqa: S310  # of this test's own server
        said = json.load(answer)
    assert said["issuer"] == issuer
    keys = client or jwt.PyJWKClient(said["jwks_uri"])
    algorithms = said["id_token_signing_alg_values_supported"]
    key = keys.get_signing_key_from_jwt(token)
    options: jwt.types.Options = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"]}
    found: dict[str, object] = jwt.decode(
        token, key, algorithms=algorithms, audience=audience, issuer=issuer, options=options, leeway=leeway
    )
    return found


@pytest.mark.parametrize("algorithm", ["ES384", "RS256"])
def test_stock_clients_verify_our_tokens(site: Site, algorithm: str) -> None:
    house = site.house()
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    token = issued(house, signing_algorithm=algorithm)
    assert verified(token, issuer)["sub"] == f"arn:aws:iam::{house.account_id}:root"
    keys = KeySet.import_key_set(json.loads(site.get(issuer.removeprefix(f"http://{site.address}") + "/.well-known/jwks.json")[2]))
    assert joserfc_jwt.decode(token, keys, algorithms=[algorithm]).claims == parts(token)[1]
    with pytest.raises(jwt.InvalidAudienceError):
        verified(token, issuer, "depot.example.com")


def test_the_keys_of_an_account_verify_no_token_of_another(site: Site) -> None:
    """Whoever looks at the signature and the audience, and forgets the issuer, is not fooled either."""
    ours, theirs = site.house(), site.house()
    issuer = ours.call("EnableOutboundWebIdentityFederation").issuer_identifier
    theirs.call("EnableOutboundWebIdentityFederation")
    with pytest.raises(jwt.PyJWKClientError):
        verified(issued(theirs), issuer)


def test_what_others_may_read(site: Site) -> None:
    house = site.house()
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    path = issuer.removeprefix(f"http://{site.address}")
    status, headers, body = site.get(f"{path}/.well-known/openid-configuration")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/json", "public, max-age=300")
    said = json.loads(body)
    assert (said["issuer"], said["jwks_uri"]) == (issuer, f"{issuer}/.well-known/jwks.json")
    status, headers, body = site.get(f"{path}/.well-known/jwks.json")
    assert (status, headers["cache-control"]) == (200, "public, max-age=300")
    keys = json.loads(body)["keys"]
    assert sorted((key["alg"], key["kty"], key["use"], *sorted(key)) for key in keys) == [
        ("ES384", "EC", "sig", "alg", "crv", "kid", "kty", "use", "x", "y"),
        ("RS256", "RSA", "sig", "alg", "e", "kid", "kty", "n", "use"),
    ]
    head = site.get(f"{path}/.well-known/jwks.json", "HEAD")
    assert (head[0], head[2]) == (200, b"")


def test_what_is_not_an_issuer_has_one_answer(site: Site) -> None:
    house, other = site.house(), site.house()
    issuer = other.call("EnableOutboundWebIdentityFederation").issuer_identifier.rpartition("/")[2]
    issued(other)
    other.call("DisableOutboundWebIdentityFederation")
    now = datetime.now(UTC)
    with at(now + timedelta(minutes=64)):
        assert site.get(f"/{issuer}/.well-known/jwks.json")[0] == 200  # what was issued can be verified until it has ended
    with at(now + timedelta(minutes=66)):
        found = {
            repr(site.get(f"/{id_}/.well-known/{name}"))
            for id_ in (NOBODY, issuer, f"iss-{house.account_id:0>32}")
            for name in ("jwks.json", "openid-configuration")
            for _ in range(2)
        }
    headers = {"content-type": "application/json", "content-length": "23", "cache-control": "no-store", "x-content-type-options": "nosniff"}
    assert found == {repr((404, headers, b'{"status": "not found"}'))}


def test_nothing_but_reading_is_for_documents(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert site.get(f"/{NOBODY}/.well-known/jwks.json", method)[0] in (400, 403, 404, 405)
        assert not site.documents.takes({"method": method, "path": f"/{NOBODY}/.well-known/jwks.json"})


def test_a_pair_is_published_before_it_signs_and_until_its_last_token_has_ended(site: Site) -> None:
    """Twenty turns. Whoever keeps the keys as long as the documents allow always has the one that signed."""
    house = site.house()
    now = datetime.now(UTC)
    with at(now):
        issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    path = issuer.removeprefix(f"http://{site.address}") + "/.well-known/jwks.json"
    used: set[str] = set()
    last: list[tuple[datetime, str, str]] = []
    for turn in range(20):
        with at(now):
            kept = {key["kid"] for key in json.loads(site.get(path)[2])["keys"]}
            assert len(signing_keys.turn(house.node.database, house.node.ring, now)) == 2
            assert signing_keys.turn(house.node.database, house.node.ring, now) == []  # the next pair waits already
            house.node.world.poll()
            published = {key["kid"] for key in json.loads(site.get(path)[2])["keys"]}
            token = issued(house, duration_seconds=3600)
            assert parts(token)[0]["kid"] in kept & published
            last.append((now + timedelta(hours=1), parts(token)[0]["kid"], token))
        with at(now + signing_keys.LEAD - timedelta(seconds=1)):
            token = issued(house, duration_seconds=3600)
            assert parts(token)[0]["kid"] in kept
            last.append((now + signing_keys.LEAD + timedelta(hours=1) - timedelta(seconds=1), parts(token)[0]["kid"], token))
        now += signing_keys.LEAD
        with at(now):
            new = parts(issued(house))[0]["kid"]
            assert new in published - kept
            assert new not in used
            used.add(new)
            there = {key["kid"] for key in json.loads(site.get(path)[2])["keys"]}
            for ends, kid, token in last:
                if now < ends:
                    assert kid in there
                    assert tokens.may(house, token)
            last = [one for one in last if now < one[0]]
        now += timedelta(minutes=10 * (turn % 9))
    with at(now + signing_keys.OVERLAP):
        assert len(json.loads(site.get(path)[2])["keys"]) == 2
        signing_keys.turn(house.node.database, house.node.ring, now + signing_keys.OVERLAP)
        house.node.world.poll()
        assert len(json.loads(site.get(path)[2])["keys"]) == 4


def test_a_stock_client_goes_on_across_a_turn(site: Site) -> None:
    house = site.house()
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    client = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
    client.cooldown_duration = 0  # else it waits half a minute before it fetches again, which a turn leaves it
    before = issued(house, duration_seconds=3600)
    verified(before, issuer, client=client)
    now = datetime.now(UTC)
    signing_keys.turn(house.node.database, house.node.ring, now)
    house.node.world.poll()
    with at(now + signing_keys.LEAD):
        after = issued(house, duration_seconds=3600)
    assert parts(before)[0]["kid"] != parts(after)[0]["kid"]
    verified(before, issuer, client=client)
    verified(after, issuer, client=client, leeway=signing_keys.LEAD.total_seconds() + 60)  # its clock stands where it stood


def test_pairs_turn_by_themselves_when_their_term_is_over(site: Site) -> None:
    house = site.house()
    now = datetime.now(UTC)
    house.call("EnableOutboundWebIdentityFederation")
    database, ring = house.node.database, house.node.ring
    early, due = now + signing_keys.TERM - timedelta(hours=1), now + signing_keys.TERM + timedelta(hours=1)
    assert signing_keys.turn_one(database, ring, early, begun=early - signing_keys.TERM) is None
    made = [signing_keys.turn_one(database, ring, due, begun=due - signing_keys.TERM) for _ in range(3)]
    assert (made[0] is not None, made[1] is not None, made[2]) == (True, True, None)
    house.call("DisableOutboundWebIdentityFederation")
    later = due + 2 * signing_keys.TERM
    assert signing_keys.turn_one(database, ring, later, begun=later - signing_keys.TERM) is None  # nobody asks it for tokens


def test_who_asks_for_what_is_not_there_keeps_nobody_from_anything(site: Site) -> None:
    """The threads that load hang: what memory has, and calls that are signed, are answered all the same."""
    house = site.house()
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    path = issuer.removeprefix(f"http://{site.address}") + "/.well-known/jwks.json"
    assert site.get(path)[0] == 200
    free, load = threading.Event(), site.documents._answer

    def hangs(asked: Document) -> issuers.Page:
        if asked.issuer_id in path:
            return load(asked)
        if threading.current_thread().name.startswith("http-pages"):
            free.wait(60)
        return load(asked)

    with mock.patch.object(site.documents, "_answer", hangs), ThreadPoolExecutor(100) as crowd:
        asking = [crowd.submit(site.get, f"/iss-{number:032x}/.well-known/jwks.json") for number in range(100)]
        shed = next(one for one in as_completed(asking, timeout=60) if one.result()[0] == 503)
        assert shed.result()[1]["retry-after"] == "1"
        assert site.get(path)[0] == 200
        assert site.get("/?Action=GetCallerIdentity&Version=2011-06-15")[0] == 403  # the gateway answers: nobody signed it
        assert house.call("GetCallerIdentity").account == house.account_id
        free.set()
        statuses = {one.result()[0] for one in asking}
    assert statuses == {404, 503}


def test_documents_outlive_the_database(site: Site) -> None:
    house = site.house()
    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    path = issuer.removeprefix(f"http://{site.address}") + "/.well-known/jwks.json"
    issued(house)
    assert site.get(path)[0] == 200
    with mock.patch.object(type(house.node.database), "_session", side_effect=OSError("gone")):
        assert site.get(path)[0] == 200
        token = issued(house)
        assert tokens.asks(house, token, at_least="").outcome
        assert site.get(f"/{NOBODY}/.well-known/jwks.json")[0] == 503
