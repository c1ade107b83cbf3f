"""What is not, byte for byte, a token that was issued here for this audience and this moment is nobody's proof of anything."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from sekisho import sigv4
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Peer
from sekisho.credentials import accounts, identity_tokens, signing_keys
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError, Unauthenticated
from sekisho.world import AccountRecord, IssuerRecord
from tests import clock
from tests.harness import BY_NAME, House
from tests.services.iam.documents import allow
from tests.services.sts.roles import role
from tests.services.sts.tokens import SHOP, encoded, issued, parts

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SEALED = "urn:sekisho:credentials"
EC, RSA = ECKey.generate_key("P-384"), RSAKey.generate_key(2048)


@dataclass
class Scene:
    """An account whose root user has a token for the shop and for us, a clerk with another, and an account of the attacker's own."""

    house: House
    token: str
    clerk: str
    theirs: House
    other: str
    folder: Path

    @property
    def issuer(self) -> IssuerRecord:
        return record(self.house)

    def signed(self, claims: dict[str, Any], of: House | None = None, **header: Any) -> str:
        """What somebody makes who has the private key of an issuer, and none of ours that seal."""
        key = signing_keys.signing(record(of or self.house), "ES384", clock.now())
        assert key is not None
        pair = signing_keys.private(key, self.house.node.ring)
        said = {"alg": "ES384", "kid": key.kid, "typ": "JWT"} | header
        return jws.serialize_compact(said, json.dumps(claims, separators=(",", ":")).encode(), pair, algorithms=["ES384"])


def record(house: House) -> IssuerRecord:
    """The issuer of a house's account."""
    whole = house.node.world.get_record(house.account_id)
    assert isinstance(whole, AccountRecord)
    assert whole.issuer_id is not None
    found = house.node.world.get_record(whole.issuer_id)
    assert isinstance(found, IssuerRecord)
    return found


@pytest.fixture(scope="module")
def scene(shared: House, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    for house in (ours := House(shared.node, account(shared)), theirs := House(shared.node, account(shared))):
        house.call("EnableOutboundWebIdentityFederation")
    made = role(ours)
    ours.call("PutRolePolicy", role_name="clerk", policy_name="get", policy_document=allow("sts:GetWebIdentityToken"))
    clerk = ours.assume(made, _as=ours.user("ann", allow("sts:AssumeRole")))
    audiences = SHOP, "sekisho"
    ours_, clerks = issued(ours, None, *audiences), issued(ours, clerk, *audiences)
    return Scene(ours, ours_, clerks, theirs, issued(theirs, None, *audiences), tmp_path_factory.mktemp("scene"))


def account(house: House) -> Any:
    return accounts.create(house.node.database, house.node.ring)


def refusal(error: SekishoError) -> str:
    """The code of an error, which says that a proof does not hold, and nothing else."""
    if not isinstance(error, Unauthenticated | sigv4.IncompleteSignature):
        raise error
    return error.code


def as_subject(house: House, token: str, audience: str = SHOP) -> str:
    """The code with which Authorize refuses a token as its subject; empty when it takes it."""
    try:
        house.call("Authorize", bearer_token=token, audience=audience, action="orders:Ship", resource="*")
    except SekishoError as error:
        return refusal(error)
    return ""


def as_caller(house: House, token: str) -> str:
    """The code with which a call is refused that has a token; empty when it is answered."""
    operation = BY_NAME["GetCallerIdentity"]
    proof = proofs.of_metadata([("authorization", f"Bearer {token}")], operation.path, b"", "sekisho")
    arrival = pipeline.Arrival(read=operation.request, proof=proof, peer=Peer(), request_id="attack")
    try:
        pipeline.run(house.node, operation, arrival)
    except SekishoError as error:
        return refusal(error)
    return ""


def accepted(house: House, token: str) -> bool:
    """Whether a token is taken in any way."""
    return not as_subject(house, token) or not as_caller(house, token)


def test_what_was_issued_is_accepted_in_both_ways(scene: Scene) -> None:
    for token in (scene.token, scene.clerk):
        assert (as_subject(scene.house, token), as_caller(scene.house, token)) == ("", "")


@pytest.mark.parametrize("algorithm", ["ES384", "RS256"])
def test_no_byte_of_a_token_can_be_another(scene: Scene, algorithm: str) -> None:
    token = issued(scene.house, None, SHOP, "sekisho", signing_algorithm=algorithm)
    assert not as_subject(scene.house, token)
    ends = {index for index in range(len(token)) if token[index + 1 : index + 2] in (".", "")}
    wrong = []
    for index, sign in enumerate(token):
        others = [other for other in ALPHABET if other != sign] if index in ends else [flipped(sign), "."]
        wrong += [
            (index, other) for other in others if other != sign and not as_subject(scene.house, token[:index] + other + token[index + 1 :])
        ]
    assert wrong == []
    assert [index for index in range(1, len(token)) if not as_subject(scene.house, token[:index])] == []
    assert [index for index in range(len(token)) if not as_subject(scene.house, token[:index] + token[index + 1 :])] == []


def flipped(sign: str) -> str:
    return ALPHABET[ALPHABET.index(sign) ^ 1] if sign in ALPHABET else "A"


def parted(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims = parts(token)
    return header, claims, token.rpartition(".")[2]


def joined(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    return ".".join(
        (
            encoded(json.dumps(header, separators=(",", ":")).encode()),
            encoded(json.dumps(claims, separators=(",", ":")).encode()),
            signature,
        )
    )


def foreign(scene: Scene, key: Any, algorithm: str, **header: Any) -> str:
    said, claims, _ = parted(scene.token)
    made = json.dumps(claims, separators=(",", ":")).encode()
    return jws.serialize_compact(said | {"alg": algorithm} | header, made, key, algorithms=[algorithm])


def confused(scene: Scene, algorithm: str, form: Callable[[Any], bytes]) -> str:
    """Signed with our public key as if that were a secret."""
    kid = parts(scene.token)[0]["kid"]
    public = next(signing_keys.public(key.public) for key in scene.issuer.keys if key.kid == kid)
    said, claims, _ = parted(scene.token)
    signed = joined(said | {"alg": algorithm}, claims).removesuffix(".")
    return f"{signed}.{encoded(hmac.digest(form(public.public_key), signed.encode(), f'sha{algorithm[2:]}'))}"


def pem(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def der(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def changed(scene: Scene, **claims: Any) -> str:
    """With other claims, signed with the issuer's own private key: what whoever stole that can make."""
    return scene.signed(parts(scene.token)[1] | claims)


def without(scene: Scene, name: str) -> str:
    claims = parts(scene.token)[1]
    del claims[name]
    return scene.signed(claims)


def of_another_ring(scene: Scene) -> str:
    """A token of another server, whose account and issuer have the same names."""
    ring = KeyRing.create(scene.folder / f"ring-{len(list(scene.folder.iterdir()))}.json")
    key = signing_keys.signing(scene.issuer, "ES384", clock.now())
    assert key is not None
    pair = signing_keys.private(key, scene.house.node.ring)
    sealed = key._replace(sealed=_sealed(ring, key.kid, pair))
    claims = parts(scene.token)[1]
    del claims[SEALED]
    return identity_tokens.issue(claims, identity_tokens.Holder(scene.house.account_id, scene.house.account_id, "", None), sealed, ring)


def _sealed(ring: KeyRing, kid: str, pair: Any) -> str:
    return b64encode(ring.seal("signing", pair.as_der(private=True), ("issuer_private_keys", "private_key", kid))).decode()


ATTACKS: dict[str, Callable[[Scene], str]] = {
    "signed with a foreign key of the same kind": lambda s: foreign(s, EC, "ES384"),
    "signed with a foreign key of another kind": lambda s: foreign(s, RSA, "RS256"),
    "signed with a foreign key that it brings": lambda s: foreign(s, EC, "ES384", jwk=EC.as_dict(private=False)),
    "signed with a foreign key that it names": lambda s: foreign(s, EC, "ES384", jku="https://attacker.example/jwks.json"),
    "signed with a foreign key under a kid of its own": lambda s: foreign(s, EC, "ES384", kid=EC.thumbprint()),
    "signed with a foreign key under a kid that is a path": lambda s: foreign(s, EC, "ES384", kid="../../dev/null"),
    "without an algorithm": lambda s: joined({**parts(s.token)[0], "alg": "none"}, parts(s.token)[1]),
    "without an algorithm, in another case": lambda s: joined({**parts(s.token)[0], "alg": "nOnE"}, parts(s.token)[1]),
    "without an algorithm, with the old signature": lambda s: joined({**parts(s.token)[0], "alg": "none"}, *parted(s.token)[1:]),
    "without a signature": lambda s: s.token.rpartition(".")[0] + ".",
    "HS256 with our public key in PEM": lambda s: confused(s, "HS256", pem),
    "HS384 with our public key in PEM": lambda s: confused(s, "HS384", pem),
    "HS512 with our public key in DER": lambda s: confused(s, "HS512", der),
    "HS256 with nothing": lambda s: foreign(s, OctKey.import_key(b"\0" * 32), "HS256"),
    "under the signature of another token": lambda s: s.token.rpartition(".")[0] + "." + s.clerk.rpartition(".")[2],
    "with the claims of another token": lambda s: ".".join((s.clerk.split(".")[0], s.token.split(".")[1], s.clerk.split(".")[2])),
    "the sealed claim of root in the clerk's token, unsigned": lambda s: joined(
        parts(s.clerk)[0], {**parts(s.clerk)[1], SEALED: parts(s.token)[1][SEALED]}, parted(s.clerk)[2]
    ),
    "the sealed claim of root in the clerk's token, signed": lambda s: s.signed({**parts(s.clerk)[1], SEALED: parts(s.token)[1][SEALED]}),
    "the sealed claim of the clerk in root's token, signed": lambda s: s.signed({**parts(s.token)[1], SEALED: parts(s.clerk)[1][SEALED]}),
    "the sealed claim in another account's token, signed": lambda s: s.signed(
        {**parts(s.other)[1], SEALED: parts(s.token)[1][SEALED]}, of=s.theirs
    ),
    "another account's sealed claim in ours, signed": lambda s: s.signed({**parts(s.token)[1], SEALED: parts(s.other)[1][SEALED]}),
    "signed by another account's key": lambda s: s.signed(parts(s.token)[1], of=s.theirs),
    "moved to another account's issuer, signed by its key": lambda s: s.signed(
        {**parts(s.token)[1], "iss": parts(s.other)[1]["iss"]}, of=s.theirs
    ),
    "moved to another account's issuer, signed": lambda s: changed(s, iss=parts(s.other)[1]["iss"]),
    "moved to another audience, signed": lambda s: changed(s, aud="depot.example.com"),
    "with one more audience, signed": lambda s: changed(s, aud=[*parts(s.token)[1]["aud"], "depot.example.com"]),
    "with a longer life, signed": lambda s: changed(s, exp=parts(s.token)[1]["exp"] + 1),
    "with another subject, signed": lambda s: changed(s, sub="arn:aws:iam::111122223333:root"),
    "with another id, signed": lambda s: changed(s, jti="7"),
    "with one more claim, signed": lambda s: changed(s, admin=True),
    "without the sealed claim, signed": lambda s: without(s, SEALED),
    "without an end, signed": lambda s: without(s, "exp"),
    "with an empty sealed claim, signed": lambda s: changed(s, **{SEALED: ""}),
    "with a sealed claim that is a list, signed": lambda s: changed(s, **{SEALED: [parts(s.token)[1][SEALED]]}),
    "with a sealed claim that is nothing, signed": lambda s: changed(s, **{SEALED: None}),
    "with a header of other words, signed": lambda s: s.signed(parts(s.token)[1], cty="JWT"),
    "with a critical header, signed": lambda s: ".".join(
        (encoded(json.dumps({**parts(s.token)[0], "crit": ["b64"], "b64": False}).encode()), *s.token.split(".")[1:])
    ),
    "of another server": of_another_ring,
    "a session token": lambda s: ".".join(s.house.call("GetSessionToken").credentials.session_token.split(".")[0:3]),
    "with padding": lambda s: s.token + "=",
    "with a line's end in it": lambda s: s.token[:50] + "\n" + s.token[50:],
    "with a blank in it": lambda s: s.token[:50] + " " + s.token[50:],
    "with signs of the other alphabet": lambda s: (
        s.token.replace("-", "+").replace("_", "/") if set("-_") & set(s.token) else s.token[:-1] + "+"
    ),
    "with a sign that is not ASCII": lambda s: s.token[:-1] + "é",
    "deeper than any": lambda s: ".".join((encoded(b"[" * 5000), s.token.split(".")[1], "AAAA")),
    "longer than any": lambda s: s.token + "A" * identity_tokens.MAX_LENGTH,
    "of empty parts": lambda s: "..",
    "of JSON that is no object": lambda s: f"{encoded(b'7')}.{encoded(b'[]')}.AAAA",
    "twice": lambda s: s.token + s.token,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_was_not_issued_is_not_accepted(scene: Scene, name: str) -> None:
    made = ATTACKS[name](scene)
    assert made != scene.token
    assert not accepted(scene.house, made)
    assert not as_subject(scene.house, scene.token)  # which is remembered, and is no door for another


def test_the_table_of_attacks_would_notice(scene: Scene) -> None:
    """A token that is made as the attacks are, with nothing changed, is accepted."""
    assert accepted(scene.house, scene.signed(parts(scene.token)[1]))


def test_a_token_for_another_audience_is_not_ours(scene: Scene) -> None:
    token = issued(scene.house)
    assert as_subject(scene.house, token) == ""
    assert as_subject(scene.house, token, "depot.example.com") == "SignatureDoesNotMatch"
    assert as_caller(scene.house, token) == "SignatureDoesNotMatch"


def test_a_token_of_a_clock_that_is_ahead(scene: Scene) -> None:
    with clock.stopped(datetime.now(UTC) + timedelta(minutes=6)):
        ahead = issued(scene.house)
        assert as_subject(scene.house, ahead) == ""
    assert as_subject(scene.house, ahead) == "InvalidClientTokenId"


def test_a_token_reads_and_decides_and_nothing_else(scene: Scene) -> None:
    for name in ("CreateUser", "AssumeRole", "GetWebIdentityToken", "GetSessionToken"):
        operation = BY_NAME[name]
        proof = proofs.of_metadata([("authorization", f"Bearer {scene.token}")], operation.path, b"", "sekisho")
        arrival = pipeline.Arrival(read=operation.request, proof=proof, peer=Peer(), request_id="attack")
        with pytest.raises(sigv4.PresignedRefused, match="A bearer token can only read and decide"):
            pipeline.run(scene.house.node, operation, arrival)
