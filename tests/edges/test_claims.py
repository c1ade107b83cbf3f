"""Whose a call says it is: for fair shares of threads, from what is not verified yet."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts, key_ids
from sekisho.edges import claims
from sekisho.edges.lanes import Claim
from sekisho.sigv4 import bearer
from tests import harness

KNOWN = "111122223333"


def encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def token(account: str) -> str:
    said = {"https://sts.amazonaws.com/": {"aws_account": account}, "aud": ["a" * 1000] * 10}
    return f"{encoded({'alg': 'ES384', 'kid': 'k' * 43, 'typ': 'JWT'})}.{encoded(said)}.{'A' * 128}"


@pytest.mark.parametrize(
    ("authorization", "account"),
    [
        (f"Bearer {token(KNOWN)}", KNOWN),
        (f"bearer  {token(KNOWN)}", KNOWN),
        (f"Bearer {token('444455556666')}", ""),
        (f"Bearer {token('11112222333')}", ""),
        ("Bearer ..", ""),
        ("Bearer a.b.c", ""),
        ("Bearer é.é.é", ""),
        ("Bearer .", ""),
    ],
)
def test_the_account_that_a_jwt_claims(authorization: str, account: str) -> None:
    node: Any = SimpleNamespace(world=SimpleNamespace(has_record=lambda id_: id_ == KNOWN))
    assert claims.of_metadata(node, [("authorization", authorization)]) == (account, False)


KEY, MADE_UP, GONE = (key_ids.long_term(KNOWN, bytes((byte,)).__mul__) for byte in range(3))
SESSION, FOREIGN = key_ids.temporary(KNOWN, bytes), key_ids.long_term("444455556666", bytes)


def node() -> Any:
    """One that has an account and a key of it in memory, and knows that another key is nobody's."""
    return SimpleNamespace(world=SimpleNamespace(has_record={KNOWN, KEY}.__contains__, is_absent={GONE}.__contains__))


def bearing(id_: str, *, padding: int = 0, header: str = "Bearer ") -> str:
    """A bearer token, which is a presigned URL in base64; before the key id stand as many characters as are said."""
    url = f"https://h/?{'x' * padding}&X-Amz-Credential={id_}%2F20260301%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=1"
    return header + urlsafe_b64encode((url + "&" * (-len(url) % 3)).encode()).decode()


CLAIMS = {
    "a_known_key": (f"AWS4-HMAC-SHA256 Credential={KEY}/20260301/eu-west-1/iam/aws4_request, Signature=0", Claim(KNOWN)),
    "a_presigned_query": (f"X-Amz-Algorithm=A&X-Amz-Credential={KEY}%2F20260301&X-Amz-Date=1", Claim(KNOWN)),
    "a_key_to_be_looked_up": (f"AWS4-HMAC-SHA256 Credential={MADE_UP}/20260301", Claim(KNOWN, True)),
    "a_key_that_is_nobodys": (f"AWS4-HMAC-SHA256 Credential={GONE}/20260301", Claim(KNOWN)),
    "a_key_of_an_account_that_is_not_in_memory": (f"AWS4-HMAC-SHA256 Credential={FOREIGN}/20260301", Claim("", True)),
    "a_session": (f"AWS4-HMAC-SHA256 Credential={SESSION}/20260301", Claim(KNOWN)),
    "no_id": ("AWS4-HMAC-SHA256 Credential=/20260301", Claim()),
    "no_id_before_an_account": ('Credential=/ "aws_account":"111122223333"', Claim()),
    "the_longest_id": (f"Credential={'K' * 128}", Claim("", True)),
    "the_longest_id_of_a_longer_one": (f"Credential={KEY}{'K' * 200}", Claim("", True)),
    "an_account": ('{"aws_account": "111122223333"}', Claim(KNOWN)),
    "an_account_without_a_space": ('{"aws_account":"111122223333"}', Claim(KNOWN)),
    "an_account_that_is_not_in_memory": ('{"aws_account":"444455556666"}', Claim()),
    "nothing": ("", Claim()),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_text_claims(name: str) -> None:
    text, claim = CLAIMS[name]
    assert claims.of_text(node(), text) == claim
    assert claims.of_metadata(node(), [("authorization", text)]) == claim


BEARERS = {
    "a_known_key": (bearing(KEY), Claim(KNOWN)),
    "in_other_letters_and_with_spaces": (bearing(KEY, header="bEARER   "), Claim(KNOWN)),
    "without_a_space": (bearing(KEY, header="Bearer"), Claim()),
    "a_key_to_be_looked_up": (bearing(MADE_UP), Claim(KNOWN, True)),
    "a_key_in_the_first_kibibyte": (bearing(KEY, padding=700), Claim(KNOWN)),
    "a_key_that_ends_with_it": (bearing(KEY, padding=719), Claim(KNOWN)),
    "a_key_that_ends_behind_it": (bearing(KEY, padding=720), Claim("", True)),
    "a_key_behind_it": (bearing(KEY, padding=750), Claim()),
    "a_long_one": (bearing(KEY, padding=100) + "A" * 2048, Claim(KNOWN)),
    "one_less": (bearing(KEY)[:-1], Claim(KNOWN)),
    "two_less": (bearing(KEY)[:-2], Claim(KNOWN)),
    "three_less": (bearing(KEY)[:-3], Claim(KNOWN)),
    "no_text": ("Bearer " + urlsafe_b64encode(b"Credential=" + KEY.encode() + b"/\xff\xfe").decode(), Claim(KNOWN)),
    "the_header_of_a_jwt": ("Bearer " + urlsafe_b64encode(b'{"aws_account":"111122223333"}').decode() + ".e30.e30", Claim()),
    "no_base64": ("Bearer \N{LATIN SMALL LETTER E WITH ACUTE}" * 4, Claim()),
    "no_padding_where_there_is_some": ("Bearer A=AA", Claim()),
}


@pytest.mark.parametrize("name", BEARERS)
def test_what_a_bearer_token_claims(name: str) -> None:
    """In its first kibibyte, and however its base64 ends."""
    authorization, claim = BEARERS[name]
    for _ in range(2):
        assert claims.of_metadata(node(), [("authorization", authorization)]) == claim


def test_what_a_bearer_token_says_is_read_once_where_it_is_short() -> None:
    short, long = bearing(KEY), bearing(KEY) + "A" * (2049 - len(bearing(KEY)))
    for token_, times in ((short, 1), (long[:2048], 1), (long, 0)):
        claims._of_bearer.cache_clear()
        for _ in range(2):
            assert claims.of_metadata(node(), [("authorization", token_)]) == Claim(KNOWN)
        assert (claims._of_bearer.cache_info().currsize, claims._of_bearer.cache_info().hits) == (times, times)


def test_the_first_authorization_is_the_claim() -> None:
    known, unknown = CLAIMS["a_known_key"][0], CLAIMS["a_key_to_be_looked_up"][0]
    assert claims.of_metadata(node(), [("x", unknown), ("authorization", known), ("authorization", unknown)]) == Claim(KNOWN)
    assert claims.of_metadata(node(), [("authorization", b"Credential"), ("authorization", known)]) == Claim(KNOWN)
    assert claims.of_metadata(node(), [("authorization-bin", known)]) == claims.of_metadata(node(), []) == Claim()


def test_a_claim_is_an_account_in_memory_or_nobody(tmp_path: Path) -> None:
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        house.call("GetCallerIdentity")
        now = datetime.now(UTC)
        token = bearer.make(house.root, "sekisho", now)
        signed = sigv4.sign_call(house.root, "/a/b", b"", "sekisho", now)
        stranger = sigv4.sign_call(sigv4.Credentials("AKIAAAAAAAAAAAAAAAAA", "s" * 40), "/a/b", b"", "sekisho", now)
        elsewhere = accounts.create(house.node.database, house.node.ring)
        cold = sigv4.sign_call(sigv4.Credentials(elsewhere.access_key_id, "s" * 40), "/a/b", b"", "sekisho", now)
        query = sigv4.presign_http(
            house.root, sigv4.HttpRequest("GET", "/", "", (("host", "h"),)), "eu-west-1", "iam", now, expires=60
        ).query
        assert claims.of_metadata(house.node, signed).account == house.account_id
        assert claims.of_metadata(house.node, [("authorization", token)]).account == house.account_id
        assert claims.of_text(house.node, query).account == house.account_id
        for nobody in (stranger, cold, [], [("authorization", "Bearer !")], [("authorization", "Bearer é")], [("x", "y")]):
            assert claims.of_metadata(house.node, nobody).account == ""


def test_strangers_are_those_whose_key_has_to_be_looked_up(tmp_path: Path) -> None:
    """A key that is known to be nobody's has not to be, nor have temporary credentials, which come with all that says who they are."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        house.call("GetCallerIdentity")
        now, world = datetime.now(UTC), house.node.world

        def claim(id_: str) -> Claim:
            return claims.of_metadata(house.node, sigv4.sign_call(sigv4.Credentials(id_, "s" * 40), "/a/b", b"", "sekisho", now))

        made_up = key_ids.long_term(house.account_id)
        assert claim(house.root.access_key_id) == (house.account_id, False)
        assert claim(made_up) == (house.account_id, True)
        assert claim("K" * 128) == ("", True)
        assert claim(key_ids.temporary(house.account_id)) == (house.account_id, False)
        assert world.get_record(made_up) is None
        assert claim(made_up) == (house.account_id, False)
