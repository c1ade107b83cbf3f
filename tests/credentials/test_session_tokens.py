"""A session token carries its session unchanged, opens with our keys only, and ends."""

import json
import threading
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.credentials import key_ids
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.session_tokens import OpenedTokens, PackedPolicyTooLarge, issue, open_token, packed_size_percent
from sekisho.credentials.sessions import KINDS, Session, pack
from sekisho.sigv4 import Credentials, ExpiredToken, InvalidClientTokenId

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ROLE = Session(
    kind="assumed-role",
    account="111122223333",
    principal_kind="role",
    principal_id="AROAEXAMPLEEXAMPLEEXA",
    principal_arn="arn:aws:iam::111122223333:role/app/Reader",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    session_name="alice",
)
FULL = replace(
    ROLE,
    tags=(("team", "öl"), ("Cost", "")),
    transitive_keys=("team",),
    source_identity="Alice",
    policy='{"Version":"2012-10-17","Statement":[]}',
    policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    mfa=True,
    mfa_at=NOW - timedelta(minutes=1),
    chained=True,
    provider="arn:aws:iam::111122223333:oidc-provider/example.com",
    context=(("saml:sub", "alice"), ("saml:groups", ("one", "two")), ("saml:none", ())),
)
USER = replace(
    ROLE,
    kind="session-token",
    principal_kind="user",
    principal_id="AIDAEXAMPLEEXAMPLEEXA",
    principal_arn="arn:aws:iam::111122223333:user/staff/bob",
    session_name="",
    mfa=False,
)


def token_of(credentials: Credentials) -> str:
    assert credentials.session_token is not None
    return credentials.session_token


def opened(credentials: Credentials, ring: KeyRing, now: datetime = NOW) -> Session:
    return open_token(token_of(credentials), credentials.access_key_id, ring, now).session


@pytest.mark.parametrize("session", [ROLE, FULL, USER], ids=["role", "full", "user"])
def test_a_session_comes_back(ring: KeyRing, session: Session) -> None:
    credentials = issue(session, ring)
    found = open_token(token_of(credentials), credentials.access_key_id, ring, NOW)
    assert (found.session, found.credentials) == (session, credentials)
    assert key_ids.account_of_key_id(credentials.access_key_id) == "111122223333"
    assert credentials.access_key_id.startswith("ASIA")
    assert len(credentials.secret_access_key) == 40


text = st.text(max_size=20)
moments = st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second, UTC))
sessions = st.builds(
    Session,
    kind=st.sampled_from(KINDS),
    account=st.from_regex("[0-9]{12}", fullmatch=True),
    principal_kind=text,
    principal_id=text,
    principal_arn=text,
    issued_at=moments,
    expires_at=moments,
    session_name=text,
    tags=st.lists(st.tuples(text, text), max_size=4).map(tuple),
    transitive_keys=st.lists(text, max_size=3).map(tuple),
    source_identity=text,
    policy=text,
    policy_arns=st.lists(text, max_size=3).map(tuple),
    mfa=st.sampled_from((None, True, False)),
    mfa_at=st.none() | moments,
    chained=st.booleans(),
    provider=text,
    context=st.lists(st.tuples(text, text | st.lists(text, max_size=2).map(tuple)), max_size=2).map(tuple),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(tmp_path_factory.mktemp("ring") / "keyring.json")


@given(sessions)
def test_any_session_comes_back(shared: KeyRing, session: Session) -> None:
    assert opened(issue(session, shared), shared, datetime.fromtimestamp(0, UTC) - timedelta(1)) == session


def test_no_character_may_change(ring: KeyRing) -> None:
    credentials = issue(ROLE, ring)
    token = token_of(credentials)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é"
    rng = Random(1)
    for index in range(len(token)):
        for character in rng.sample(alphabet, 12):
            if character != token[index]:
                with pytest.raises(InvalidClientTokenId):
                    open_token(token[:index] + character + token[index + 1 :], credentials.access_key_id, ring, NOW)
        with pytest.raises(InvalidClientTokenId):
            open_token(token[:index], credentials.access_key_id, ring, NOW)
    for longer in (token + "=", token + "A", token + ".", " " + token, token + "\n", token + "." + token):
        with pytest.raises(InvalidClientTokenId):
            open_token(longer, credentials.access_key_id, ring, NOW)


@given(st.text() | st.text("AZaz09-_.", max_size=60).map(lambda tail: f"eyJhbGciOiJkaXIi.{tail}"))
@settings(max_examples=200)
def test_any_other_text_is_refused(shared: KeyRing, token: str) -> None:
    with pytest.raises(InvalidClientTokenId) as caught:
        open_token(token, "ASIAEXAMPLE", shared, NOW)
    assert (caught.value.message, caught.value.http) == ("The security token included in the request is invalid.", 403)


def test_another_ring_refuses(ring: KeyRing, tmp_path: Path) -> None:
    credentials = issue(ROLE, KeyRing.create(tmp_path / "other.json"))
    with pytest.raises(InvalidClientTokenId):
        opened(credentials, ring)


def test_the_key_id_of_another_session_is_refused(ring: KeyRing) -> None:
    first, second = issue(ROLE, ring), issue(ROLE, ring)
    with pytest.raises(InvalidClientTokenId):
        open_token(token_of(first), second.access_key_id, ring, NOW)
    with pytest.raises(InvalidClientTokenId):
        OpenedTokens(ring).open(token_of(first), second.access_key_id, NOW)


def test_a_session_ends(ring: KeyRing) -> None:
    credentials = issue(ROLE, ring)
    assert opened(credentials, ring, NOW + timedelta(minutes=59, seconds=59)) == ROLE
    with pytest.raises(ExpiredToken) as caught:
        opened(credentials, ring, NOW + timedelta(hours=1))
    assert (caught.value.code, caught.value.message) == ("ExpiredToken", "The security token included in the request is expired")


def test_a_rotated_key_opens_until_it_is_forgotten(ring: KeyRing) -> None:
    credentials, cache = issue(ROLE, ring), OpenedTokens(ring)
    old = ring.current("sessions").id
    ring.rotate("sessions")
    assert opened(credentials, ring) == ROLE
    assert cache.open(token_of(credentials), credentials.access_key_id, NOW).session == ROLE
    ring.forget("sessions", old)
    with pytest.raises(InvalidClientTokenId):
        opened(credentials, ring)
    with pytest.raises(InvalidClientTokenId):
        cache.open(token_of(credentials), credentials.access_key_id, NOW)


def test_a_key_forgotten_elsewhere_closes_here(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    elsewhere, here = KeyRing.create(path), KeyRing.open(path, purposes=("sessions",))
    credentials, cache = issue(ROLE, elsewhere), OpenedTokens(here)
    cache.open(token_of(credentials), credentials.access_key_id, NOW)
    old = elsewhere.current("sessions").id
    elsewhere.rotate("sessions")
    elsewhere.forget("sessions", old)
    here.refresh()
    with pytest.raises(InvalidClientTokenId):
        cache.open(token_of(credentials), credentials.access_key_id, NOW)


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


class OneKey(KeyRing):
    """A ring whose session key is known, so that tokens can be made and opened by other hands."""

    def __init__(self, path: Path, raw: bytes) -> None:
        super().__init__(path, None, None)
        self.raw = replace(self.current("sessions"), aead=AESGCM(raw))
        self._keys = {"sessions": {self.raw.id: self.raw}}


@pytest.fixture
def known(ring: KeyRing, tmp_path: Path) -> OneKey:
    return OneKey(tmp_path / "keyring.json", bytes(range(32)))


def test_a_token_is_a_compact_jwe(known: OneKey) -> None:
    credentials = issue(FULL, known)
    header, encrypted_key, nonce, ciphertext, tag = token_of(credentials).split(".")
    assert json.loads(decoded(header)) == {"alg": "dir", "enc": "A256GCM", "kid": known.raw.id, "zip": "DEF"}
    assert encrypted_key == ""
    packed = AESGCM(bytes(range(32))).decrypt(decoded(nonce), decoded(ciphertext) + decoded(tag), header.encode())
    content = json.loads(zlib.decompress(packed, -15))
    assert content == [
        1,
        credentials.access_key_id,
        credentials.secret_access_key,
        0,
        "111122223333",
        "role",
        "AROAEXAMPLEEXAMPLEEXA",
        "arn:aws:iam::111122223333:role/app/Reader",
        1772366400,
        1772370000,
        "alice",
        [["team", "öl"], ["Cost", ""]],
        ["team"],
        "Alice",
        '{"Version":"2012-10-17","Statement":[]}',
        ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        True,
        1772366340,
        True,
        "arn:aws:iam::111122223333:oidc-provider/example.com",
        [["saml:sub", "alice"], ["saml:groups", ["one", "two"]], ["saml:none", []]],
    ]


def sealed_by_hand(known: OneKey, header: bytes, content: bytes) -> str:
    first = encoded(header)
    sealed = AESGCM(bytes(range(32))).encrypt(bytes(12), content, first.encode())
    return ".".join((first, "", encoded(bytes(12)), encoded(sealed[:-16]), encoded(sealed[-16:])))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def test_only_the_one_header_is_taken(known: OneKey) -> None:
    credentials = issue(ROLE, known)
    parts = token_of(credentials).split(".")
    packed = AESGCM(bytes(range(32))).decrypt(decoded(parts[2]), decoded(parts[3]) + decoded(parts[4]), parts[0].encode())
    good = decoded(parts[0])
    assert open_token(sealed_by_hand(known, good, packed), credentials.access_key_id, known, NOW).session == ROLE
    for header in (
        good.replace(b'"zip"', b'"zap"'),
        good.replace(b",", b", ", 1),
        good[:-1] + b',"x":1}',
        good.replace(b"A256GCM", b"A128GCM"),
        b"{}",
    ):
        with pytest.raises(InvalidClientTokenId):
            open_token(sealed_by_hand(known, header, packed), credentials.access_key_id, known, NOW)


def test_an_encrypted_key_is_not_overlooked(ring: KeyRing) -> None:
    credentials = issue(ROLE, ring)
    with pytest.raises(InvalidClientTokenId):
        open_token(token_of(credentials).replace("..", ".AAAA."), credentials.access_key_id, ring, NOW)


def test_a_longer_token_is_not_read(known: OneKey) -> None:
    header = b'{"alg":"dir","enc":"A256GCM","kid":"%b","zip":"DEF"}' % known.raw.id.encode()
    for policy, fits in ((noise(Random(1), 5000), True), (noise(Random(1), 9000), False)):
        content = json.dumps([1, "ASIAEXAMPLE", "secret", *pack(replace(ROLE, policy=policy))]).encode()
        token = sealed_by_hand(known, header, raw_deflate(content))
        assert (len(token) <= 6144) == fits
        if fits:
            assert open_token(token, "ASIAEXAMPLE", known, NOW).session.policy == policy
        else:
            with pytest.raises(InvalidClientTokenId):
                open_token(token, "ASIAEXAMPLE", known, NOW)


def test_a_later_format_is_not_guessed_at(known: OneKey) -> None:
    header = b'{"alg":"dir","enc":"A256GCM","kid":"%b","zip":"DEF"}' % known.raw.id.encode()
    with pytest.raises(InvalidClientTokenId):
        open_token(
            sealed_by_hand(known, header, raw_deflate(json.dumps([2, "ASIAEXAMPLE", "secret", *pack(ROLE)]).encode())),
            "ASIAEXAMPLE",
            known,
            NOW,
        )


def noise(rng: Random, length: int) -> str:
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))


def test_the_size_is_told_in_percent_and_bounded(ring: KeyRing) -> None:
    assert packed_size_percent("x" * 6144) == 100
    assert packed_size_percent("x" * 6145) == 101
    assert packed_size_percent("x" * 615) == 11
    rng = Random(1)
    fits = replace(ROLE, tags=tuple((f"k{i}", noise(rng, 250)) for i in range(22)))
    assert 95 <= packed_size_percent(token_of(issue(fits, ring))) <= 100  # not to the byte: zlib's builds differ
    with pytest.raises(PackedPolicyTooLarge, match=r"^Packed size of session tags consumes 1[01]\d% of allotted space\.$") as caught:
        issue(replace(fits, tags=(*fits.tags, ("more", noise(rng, 250)), ("yet", noise(rng, 250)))), ring)
    assert (caught.value.http, caught.value.code) == (400, "PackedPolicyTooLarge")
    with pytest.raises(PackedPolicyTooLarge, match=r"^Packed policy consumes \d+% of allotted space\.$"):
        issue(replace(ROLE, policy=noise(rng, 9000)), ring)


def test_what_inflates_beyond_all_bounds_is_not_issued(ring: KeyRing) -> None:
    with pytest.raises(PackedPolicyTooLarge, match="consumes 101% of allotted space"):
        issue(replace(ROLE, policy="x" * 131_072), ring)
    largest = replace(ROLE, tags=tuple((f"{i:0>128}", "ö" * 256) for i in range(50)), policy="p" * 2048, policy_arns=("a" * 2048,) * 10)
    assert opened(issue(largest, ring), ring) == largest


def test_the_cache_opens_once_and_stays_bounded(ring: KeyRing) -> None:
    cache = OpenedTokens(ring, max_bytes=20_000)
    issued = [issue(ROLE, ring) for _ in range(40)]
    first = cache.open(token_of(issued[0]), issued[0].access_key_id, NOW)
    assert cache.open(token_of(issued[0]), issued[0].access_key_id, NOW) is first
    for credentials in issued[1:]:
        cache.open(token_of(credentials), credentials.access_key_id, NOW)
        assert cache.open(token_of(issued[0]), issued[0].access_key_id, NOW) is first  # used again, so it stays
    assert len(cache) < 15
    last = cache.open(token_of(issued[1]), issued[1].access_key_id, NOW)
    assert last.session == ROLE
    with pytest.raises(ExpiredToken):
        cache.open(token_of(issued[0]), issued[0].access_key_id, NOW + timedelta(hours=1))
    with pytest.raises(InvalidClientTokenId):
        cache.open("junk\ud800", "ASIAEXAMPLE", NOW)


def test_the_cache_is_safe_for_threads(ring: KeyRing) -> None:
    cache, issued, wrong = (
        OpenedTokens(ring, max_bytes=10_000),
        [issue(replace(ROLE, session_name=f"s{i}"), ring) for i in range(20)],
        list[Any](),
    )

    def work(seed: int) -> None:
        rng = Random(seed)
        for _ in range(200):
            index = rng.randrange(20)
            found = cache.open(token_of(issued[index]), issued[index].access_key_id, NOW)
            if found.session.session_name != f"s{index}":
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) < 8


def test_who_the_holder_is() -> None:
    assert (ROLE.arn, ROLE.user_id) == ("arn:aws:sts::111122223333:assumed-role/Reader/alice", "AROAEXAMPLEEXAMPLEEXA:alice")
    assert (USER.arn, USER.user_id) == ("arn:aws:iam::111122223333:user/staff/bob", "AIDAEXAMPLEEXAMPLEEXA")
    federated = replace(USER, kind="federation", session_name="carol")
    assert (federated.arn, federated.user_id) == ("arn:aws:sts::111122223333:federated-user/carol", "111122223333:carol")


def test_nothing_secret_is_shown(ring: KeyRing) -> None:
    credentials = issue(ROLE, ring)
    shown = repr(open_token(token_of(credentials), credentials.access_key_id, ring, NOW))
    assert credentials.secret_access_key not in shown
    assert token_of(credentials) not in shown
