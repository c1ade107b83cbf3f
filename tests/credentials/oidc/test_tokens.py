"""What a token is believed for: each claim, each trick, each flipped byte."""

import hmac
import json
import random
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwk

from sekisho.credentials.oidc import keys, tokens
from sekisho.credentials.oidc.tokens import Identity
from sekisho.errors import SekishoError
from tests.providers import EC, ED, RSA, STRANGER, Provider, signed

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
MOMENT = int(NOW.timestamp())
PROVIDER = Provider("login.example.com/realms/Shop")
CLIENTS = ("sts.amazonaws.com", "shop")

NOT_A_TOKEN = ("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
NO_KEY = (
    "InvalidIdentityToken",
    " ".join(
        (
            "Couldn't retrieve verification key from your identity provider,",
            "please reference AssumeRoleWithWebIdentity documentation for requirements",
        )
    ),
)
UNSUPPORTED = ("InvalidIdentityToken", "The algorithm that the token is signed with is not supported")
BAD_SIGNATURE = ("InvalidIdentityToken", "Invalid token signature")
WRONG_AUDIENCE = ("InvalidIdentityToken", "Incorrect token audience")


def published(*given: Any) -> keys.Keys:
    """The keys as they come from the provider."""
    return keys.read(json.dumps({"keys": [key.as_dict(private=False) for key in given]}).encode())


KEYS = published(RSA, EC, ED)


def token(key: Any = RSA, alg: str = "RS256", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    return PROVIDER.token(key, alg, header, **{"iat": MOMENT, "exp": MOMENT + 300, **claims})


def believed(text: str, known: keys.Keys = KEYS, *, now: datetime = NOW, clients: tuple[str, ...] = CLIENTS) -> Identity:
    return tokens.verified(tokens.read(text), known, PROVIDER.issuer, clients, now)


def refusal(text: str, known: keys.Keys = KEYS, **fields: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        believed(text, known, **fields)
    return caught.value.code, caught.value.message


def encoded(content: bytes | Mapping[str, Any]) -> str:
    return urlsafe_b64encode(content if isinstance(content, bytes) else json.dumps(content).encode()).rstrip(b"=").decode()


def test_what_a_token_says() -> None:
    assert believed(token()) == Identity("alice", "sts.amazonaws.com", "", None, {}, (), "")
    assert believed(token(amr=["pwd", "mfa"])).methods == ("pwd", "mfa")


P384 = jwk.ECKey.generate_key("P-384", {"kid": "p384"}, private=True)
P521 = jwk.ECKey.generate_key("P-521", {"kid": "p521"}, private=True)
PLAIN_RSA = jwk.RSAKey.generate_key(2048, {"kid": "plain"}, private=True)


@pytest.mark.parametrize(
    ("key", "alg"),
    [(PLAIN_RSA, alg) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")]
    + [(EC, "ES256"), (P384, "ES384"), (P521, "ES512"), (ED, "EdDSA"), (ED, "Ed25519")],
)
def test_a_key_verifies_with_the_algorithms_of_its_type(key: Any, alg: str) -> None:
    assert believed(token(key, alg), published(RSA, EC, ED, PLAIN_RSA, P384, P521)).subject == "alice"


def test_a_key_that_says_its_algorithm_verifies_with_no_other() -> None:
    same = jwk.RSAKey.import_key({name: value for name, value in RSA.as_dict(private=True).items() if name not in ("alg", "use")})
    assert believed(token(same)).subject == "alice"
    assert refusal(token(same, "PS256")) == NO_KEY
    assert refusal(token(same, "RS512")) == NO_KEY


def test_a_token_without_a_key_id_is_of_the_only_key() -> None:
    text = token(header={"kid": None})
    assert believed(text, published(RSA)).subject == "alice"
    assert refusal(text) == NO_KEY


def test_each_of_two_keys_of_one_id_is_tried() -> None:
    assert believed(token(STRANGER), published(RSA, STRANGER)).subject == "alice"


REST = token().partition(".")[2]
TWICE = b'{"alg":"none","alg":"RS256","kid":"rsa"}'


def by_hmac(alg: str, digest: str) -> str:
    """A token whose HMAC has the public key, as everybody can read it, for its secret."""
    content = f"{encoded({'alg': alg, 'kid': 'rsa', 'typ': 'JWT'})}.{REST.partition('.')[0]}"
    return f"{content}.{encoded(hmac.digest(RSA.as_pem(private=False), content.encode(), digest))}"


FORGED: dict[str, tuple[str, tuple[str, str]]] = {
    "none": (f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{token().split('.')[1]}.", UNSUPPORTED),
    "none_with_a_signature": (f"{encoded({'alg': 'none'})}.{REST}", UNSUPPORTED),
    "none_in_capitals": (f"{encoded({'alg': 'NONE'})}.{token().split('.')[1]}.", UNSUPPORTED),
    "hmac_with_the_public_key": (by_hmac("HS256", "sha256"), UNSUPPORTED),
    "hmac_and_512": (by_hmac("HS512", "sha512"), UNSUPPORTED),
    "no_algorithm": (f"{encoded({'kid': 'rsa'})}.{REST}", UNSUPPORTED),
    "algorithm_is_a_list": (f"{encoded({'alg': ['RS256'], 'kid': 'rsa'})}.{REST}", UNSUPPORTED),
    "strangers_key": (token(STRANGER), BAD_SIGNATURE),
    "strangers_key_embedded": (token(STRANGER, header={"jwk": STRANGER.as_dict(private=False)}), NOT_A_TOKEN),
    "jku": (token(header={"jku": "https://evil.example.com/keys"}), NOT_A_TOKEN),
    "x5u": (token(header={"x5u": "https://evil.example.com/chain"}), NOT_A_TOKEN),
    "x5c": (token(header={"x5c": ["MIIB"]}), NOT_A_TOKEN),
    "crit": (f"{encoded({'alg': 'RS256', 'kid': 'rsa', 'crit': ['exp'], 'exp': 1})}.{REST}", NOT_A_TOKEN),
    "unencoded_payload": (f"{encoded({'alg': 'RS256', 'kid': 'rsa', 'b64': False})}.{REST}", NOT_A_TOKEN),
    "encrypted": (f"{encoded({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d", NOT_A_TOKEN),
    "access_token": (token(header={"typ": "at+jwt"}), NOT_A_TOKEN),
    "type_is_a_list": (f"{encoded({'alg': 'RS256', 'typ': ['JWT']})}.{REST}", NOT_A_TOKEN),
    "curve_of_another_key": (token(EC, "ES256", header={"kid": "rsa"}), NO_KEY),
    "algorithm_of_another_type": (f"{encoded({'alg': 'ES256', 'kid': 'rsa'})}.{REST}", NO_KEY),
    "kid_is_a_path": (token(header={"kid": "../../../../dev/null"}), NO_KEY),
    "kid_is_sql": (token(header={"kid": "rsa' OR '1'='1"}), NO_KEY),
    "kid_has_a_nul": (token(header={"kid": "rsa\0"}), NO_KEY),
    "kid_is_a_pattern": (token(header={"kid": "*"}), NO_KEY),
    "kid_is_empty": (token(header={"kid": ""}), NO_KEY),
    "kid_is_huge": (token(header={"kid": "k" * 10_000}), NOT_A_TOKEN),
    "kid_is_a_number": (f"{encoded({'alg': 'RS256', 'kid': 1})}.{REST}", NOT_A_TOKEN),
    "kid_is_a_list": (f"{encoded({'alg': 'RS256', 'kid': ['rsa']})}.{REST}", NOT_A_TOKEN),
    "header_says_alg_twice": (
        f"{encoded(TWICE)}.{REST}", NOT_A_TOKEN,
    ),
    "claims_say_sub_twice": (
        signed(
            json.dumps(
                {"iss": f"https://{PROVIDER.issuer}", "aud": CLIENTS[0], "iat": MOMENT, "exp": MOMENT + 300, "sub": "alice"}
            ).replace("}", ', "sub": "root"}').encode(),
            RSA, {"alg": "RS256", "kid": "rsa"},
        ),
        NOT_A_TOKEN,
    ),
    "claims_are_a_list": (signed(b"[]", RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "claims_are_not_utf8": (signed(b'{"sub": "\xff"}', RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "claims_have_nan": (signed(b'{"exp": NaN}', RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "claims_have_infinity": (signed(b'{"exp": 1e999}', RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "claims_are_deep": (signed(b'{"a":' + b"[" * 7000 + b"]" * 7000 + b"}", RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "a_number_of_many_digits": (signed(b'{"exp": ' + b"9" * 9000 + b"}", RSA, {"alg": "RS256", "kid": "rsa"}), NOT_A_TOKEN),
    "huge": (token(more="x" * 20_000), NOT_A_TOKEN),
    "two_parts": (token().rpartition(".")[0], NOT_A_TOKEN),
    "four_parts": (f"{token()}.", NOT_A_TOKEN),
    "padded": (f"{token()}=", NOT_A_TOKEN),
    "blanks_around": (f" {token()}\n", NOT_A_TOKEN),
    "not_ascii": (f"é{token()}", NOT_A_TOKEN),
    "empty": ("", NOT_A_TOKEN),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    text, said = FORGED[name]
    assert refusal(text) == said


CLAIMS: dict[str, tuple[Mapping[str, Any], tuple[str, str]]] = {
    "other_issuer": ({"iss": "https://login.example.com/realms/shop"}, ("InvalidIdentityToken", "Incorrect token issuer")),
    "issuer_with_a_slash": ({"iss": f"https://{PROVIDER.issuer}/"}, ("InvalidIdentityToken", "Incorrect token issuer")),
    "issuer_over_http": ({"iss": f"http://{PROVIDER.issuer}"}, ("InvalidIdentityToken", "Missing a required claim: iss")),
    "issuer_is_a_list": ({"iss": [f"https://{PROVIDER.issuer}"]}, ("InvalidIdentityToken", "Missing a required claim: iss")),
    "issuer_has_a_nul": ({"iss": f"https://{PROVIDER.issuer}\0"}, ("InvalidIdentityToken", "Invalid claim: iss")),
    "issuer_is_no_ascii": ({"iss": f"https://{PROVIDER.issuer}é"}, ("InvalidIdentityToken", "Invalid claim: iss")),
    "issuer_is_huge": ({"iss": f"https://{'i' * 256}"}, ("InvalidIdentityToken", "Invalid claim: iss")),
    "half_a_character": ({"sub": "\ud800"}, NOT_A_TOKEN),
    "half_a_character_in_a_key": ({"\udfff": 1}, NOT_A_TOKEN),
    "methods_have_a_line": ({"amr": ["a\nb"]}, ("InvalidIdentityToken", "Invalid claim: amr")),
    "no_issuer": ({"iss": None}, ("InvalidIdentityToken", "Missing a required claim: iss")),
    "no_subject": ({"sub": None}, ("InvalidIdentityToken", "Missing a required claim: sub")),
    "subject_is_empty": ({"sub": ""}, ("InvalidIdentityToken", "Missing a required claim: sub")),
    "subject_is_a_number": ({"sub": 7}, ("InvalidIdentityToken", "Missing a required claim: sub")),
    "subject_is_huge": ({"sub": "s" * 1025}, ("InvalidIdentityToken", "Invalid claim: sub")),
    "subject_has_a_line": ({"sub": "a\nb"}, ("InvalidIdentityToken", "Invalid claim: sub")),
    "no_audience": ({"aud": None}, ("InvalidIdentityToken", "Missing a required claim: aud")),
    "audience_is_empty": ({"aud": []}, ("InvalidIdentityToken", "Missing a required claim: aud")),
    "audience_is_an_object": ({"aud": {"shop": 1}}, ("InvalidIdentityToken", "Missing a required claim: aud")),
    "audience_of_another": ({"aud": "till"}, WRONG_AUDIENCE),
    "audience_in_capitals": ({"aud": "SHOP"}, WRONG_AUDIENCE),
    "audience_begins_alike": ({"aud": "shop2"}, WRONG_AUDIENCE),
    "several_without_a_party": ({"aud": ["shop", "sts.amazonaws.com"]}, WRONG_AUDIENCE),
    "several_and_a_party_of_another": ({"aud": ["shop", "till"], "azp": "till"}, WRONG_AUDIENCE),
    "several_and_a_party_that_is_no_audience": ({"aud": ["till", "tea"], "azp": "shop"}, WRONG_AUDIENCE),
    "one_and_a_party_of_another": ({"aud": "shop", "azp": "till"}, WRONG_AUDIENCE),
    "party_is_a_list": ({"aud": "shop", "azp": ["shop"]}, ("InvalidIdentityToken", "Missing a required claim: azp")),
    "no_expiry": ({"exp": None}, ("InvalidIdentityToken", "Missing a required claim: exp")),
    "expiry_is_text": ({"exp": str(MOMENT + 300)}, ("InvalidIdentityToken", "Missing a required claim: exp")),
    "expiry_is_true": ({"exp": True}, ("InvalidIdentityToken", "Missing a required claim: exp")),
    "expired_now": (
        {"exp": MOMENT},
        ("ExpiredTokenException", f"Token expired: current date/time {MOMENT} must be before the expiration date/time {MOMENT}"),
    ),
    "no_issue_time": ({"iat": None}, ("InvalidIdentityToken", "Missing a required claim: iat")),
    "issued_in_the_future": (
        {"iat": MOMENT + 61, "exp": MOMENT + 900},
        ("IDPRejectedClaim", f"Token is not valid yet: current date/time {MOMENT} must be after {MOMENT + 61}"),
    ),
    "not_before_in_the_future": (
        {"nbf": MOMENT + 61},
        ("IDPRejectedClaim", f"Token is not valid yet: current date/time {MOMENT} must be after {MOMENT + 61}"),
    ),
    "methods_are_text": ({"amr": "mfa"}, ("InvalidIdentityToken", "Invalid claim: amr")),
    "methods_are_many": ({"amr": ["mfa"] * 33}, ("InvalidIdentityToken", "Invalid claim: amr")),
    "tags_are_a_list": ({tokens.TAGS: []}, ("InvalidIdentityToken", f"Invalid claim: {tokens.TAGS}")),
    "two_values_of_a_tag": (
        {tokens.TAGS: {"principal_tags": {"team": ["a", "b"]}}},
        ("InvalidIdentityToken", f"Invalid claim: {tokens.TAGS}/principal_tags/team"),
    ),
    "both_forms_of_tags": (
        {tokens.TAGS: {"principal_tags": {"a": ["1"]}}, f"{tokens.TAGS}/principal_tags/b": "2"},
        ("InvalidIdentityToken", f"Invalid claim: {tokens.TAGS}"),
    ),
    "transitive_keys_are_text": (
        {tokens.TAGS: {"transitive_tag_keys": "team"}},
        ("InvalidIdentityToken", f"Invalid claim: {tokens.TAGS}/transitive_tag_keys"),
    ),
    "source_identity_is_empty": (
        {tokens.SOURCE_IDENTITY: ""},
        ("InvalidIdentityToken", f"Missing a required claim: {tokens.SOURCE_IDENTITY}"),
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_does_not_hold_is_refused(name: str) -> None:
    claims, said = CLAIMS[name]
    assert refusal(token(**claims)) == said


def test_a_clock_that_is_a_minute_ahead_is_no_matter() -> None:
    assert believed(token(iat=MOMENT + 60, nbf=MOMENT + 60, exp=MOMENT + 61)).subject == "alice"


def test_a_token_ends_at_its_second() -> None:
    text = token(exp=MOMENT + 300)
    assert believed(text, now=NOW + timedelta(seconds=299)).subject == "alice"
    assert refusal(text, now=NOW + timedelta(seconds=300))[0] == "ExpiredTokenException"


@pytest.mark.parametrize(
    ("claims", "audience", "party"),
    [
        ({"aud": "shop"}, "shop", ""),
        ({"aud": ["shop"]}, "shop", ""),
        ({"aud": "shop", "azp": "shop"}, "shop", "shop"),
        ({"aud": "shop", "azp": "sts.amazonaws.com"}, "shop", "sts.amazonaws.com"),
        ({"aud": ["till", "shop"], "azp": "shop"}, "shop", "shop"),
    ],
)
def test_whom_a_token_is_for(claims: Mapping[str, Any], audience: str, party: str) -> None:
    found = believed(token(**claims))
    assert (found.audience, found.authorized_party) == (audience, party)


@pytest.mark.parametrize(
    "claims",
    [
        {tokens.TAGS: {"principal_tags": {"team": ["blue"], "cost": ["7"]}, "transitive_tag_keys": ["team"]}},
        {tokens.TAGS: {"principal_tags": {"team": "blue", "cost": "7"}, "transitive_tag_keys": ["team", "team"]}},
        {f"{tokens.TAGS}/principal_tags/team": "blue", f"{tokens.TAGS}/principal_tags/cost": "7",
         f"{tokens.TAGS}/transitive_tag_keys": ["team"]},
    ],
    ids=["nested", "nested_texts", "flat"],
)  # fmt: skip
def test_tags_in_either_form(claims: Mapping[str, Any]) -> None:
    found = believed(token(**(dict(claims) | {tokens.SOURCE_IDENTITY: "Alice"})))
    assert (found.tags, found.transitive, found.source_identity) == ({"team": "blue", "cost": "7"}, ("team",), "Alice")


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")])
def test_no_flipped_byte_is_accepted(key: Any, alg: str) -> None:
    """Every byte of a token, each by three other ones: with one bit another, with another character of the alphabet, and with nothing."""
    text, chance = token(key, alg), random.Random(7)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    believed(text)
    accepted = []
    for place, character in enumerate(text):
        flipped = chr(ord(character) ^ (1 << chance.randrange(7)))
        for other in (flipped, chance.choice(alphabet.replace(character, "")), ""):
            changed = text[:place] + other + text[place + 1 :]
            try:
                believed(changed)
            except SekishoError:
                continue
            accepted.append((place, other))
    assert accepted == []


def test_no_truncated_token_is_accepted() -> None:
    text = token(EC, "ES256")
    for length in range(len(text)):
        with pytest.raises(SekishoError):
            believed(text[:length])
