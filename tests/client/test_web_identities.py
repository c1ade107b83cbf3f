"""Roles for a web identity whose token stands in a file: calls that nobody signs, with the token of that moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sekisho.api.sts.v1 import identities_pb2, sessions_pb2, web_identities_pb2
from sekisho.client import Client, Credentials, NoCredentialsError
from sekisho.client.credentials import find
from tests.client.fake import Fake, said

ROLE = "arn:aws:iam::111122223333:role/deployer"
WEB = "/sekisho.api.sts.v1.StsService/AssumeRoleWithWebIdentity"


@pytest.fixture
def home(tmp_path: Path, fake: Fake) -> dict[str, str]:
    """The environment of a user with a token, and profiles that name its file."""
    (tmp_path / "token").write_text("first.token.x\n")
    file = f"web_identity_token_file = {tmp_path}/token\n"
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        f"[profile web]\nrole_arn = {ROLE}\nrole_session_name = s1\nduration_seconds = 900\n{file}"
        f"[profile on]\nrole_arn = arn:aws:iam::111122223333:role/next\nrole_session_name = s2\nsource_profile = web\n"
        f"[profile nobody]\n{file}"
        f"[profile both]\nrole_arn = {ROLE}\nsource_profile = static\n{file}"
        f"[profile coded]\nrole_arn = {ROLE}\nmfa_serial = GAHT12345678\n{file}"
        f"[profile lost]\nrole_arn = {ROLE}\nweb_identity_token_file = {tmp_path}/gone\n"
        "[profile static]\naws_access_key_id = AKIASTATIC\naws_secret_access_key = s\n"
    )
    return {"HOME": str(tmp_path), "SEKISHO_ENDPOINT": fake.endpoint}


def given(name: str, *, lasts: timedelta = timedelta(hours=1)) -> bytes:
    """The answer of STS with credentials."""
    made = sessions_pb2.Credentials(access_key_id=name, secret_access_key="s", session_token="t")
    made.expiration.FromDatetime(datetime.now(UTC) + lasts)
    return web_identities_pb2.AssumeRoleWithWebIdentityResponse(credentials=made).SerializeToString()


def asked(fake: Fake, number: int = 0) -> web_identities_pb2.AssumeRoleWithWebIdentityRequest:
    """A call as it arrived, which nobody signed."""
    arrived = fake.arrived[number]
    assert arrived.path == WEB
    assert "authorization" not in arrived.metadata
    return web_identities_pb2.AssumeRoleWithWebIdentityRequest.FromString(arrived.body)


def credentials(env: dict[str, str]) -> Credentials:
    found = find(env)
    assert found is not None
    return found.credentials()


def test_a_profile_with_a_token_file(home: dict[str, str], fake: Fake) -> None:
    fake.replies = [given("ASIAWEB")]
    assert credentials({**home, "AWS_PROFILE": "web"}) == Credentials("ASIAWEB", "s", "t")
    request = asked(fake)
    assert (request.role_arn, request.role_session_name, request.duration_seconds) == (ROLE, "s1", 900)
    assert request.web_identity_token == "first.token.x"


def test_the_environment_of_a_pod(home: dict[str, str], fake: Fake) -> None:
    fake.replies = [given("ASIAPOD")]
    pod = {**home, "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{home['HOME']}/token"}
    for env in (pod, {**pod, "AWS_ROLE_SESSION_NAME": "pod-7"}, {**pod, "AWS_PROFILE": "static"}):
        assert credentials(env).access_key_id == "ASIAPOD"
    assert [asked(fake, number).role_session_name.partition("-")[0] for number in range(3)] == ["sekisho", "pod", "sekisho"]
    keys = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "e"}
    assert credentials({**pod, **keys}).access_key_id == "AKIAENV"
    assert len(fake.arrived) == 3


def test_a_role_that_a_profile_assumes_counts_for_more_than_the_environment(home: dict[str, str], fake: Fake) -> None:
    fake.replies = [given("ASIAWEB")]
    found = find({**home, "AWS_PROFILE": "on", "AWS_ROLE_ARN": "r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"})
    assert found is not None
    assert found.place.startswith("profile `on` of")
    found.credentials()
    assert asked(fake).role_arn == ROLE
    assert fake.arrived[1].path.endswith("/AssumeRole")
    assert "ASIAWEB" in fake.arrived[1].metadata["authorization"]


def test_a_client_renews_them_with_the_token_that_the_file_has_then(
    home: dict[str, str], fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE", raising=False)
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{home['HOME']}/.aws/config")
    who = identities_pb2.GetCallerIdentityResponse(arn="a").SerializeToString()
    fake.replies = [given("ASIAONE", lasts=timedelta(seconds=-1)), who, given("ASIATWO"), who]
    with Client.from_profile("web", timeout=20.0) as client:
        client.sts.get_caller_identity()
        Path(home["HOME"], "token").write_text("second.token.x")
        for _ in range(2):
            client.sts.get_caller_identity()
    assert [asked(fake, number).web_identity_token for number in (0, 2)] == ["first.token.x", "second.token.x"]
    signers = [fake.arrived[number].metadata["authorization"] for number in (1, 3, 4)]
    assert [name in signer for name, signer in zip(("ASIAONE", "ASIATWO", "ASIATWO"), signers, strict=True)] == [True] * 3


REFUSED = {
    "no role": ({"AWS_PROFILE": "nobody"}, "profile `nobody` of .* has a web_identity_token_file and no role_arn"),
    "two ways": ({"AWS_PROFILE": "both"}, "profile `both` of .* has both a web_identity_token_file and source_profile"),
    "a code": ({"AWS_PROFILE": "coded"}, "profile `coded` of .* has both a web_identity_token_file and mfa_serial"),
    "no file": ({"AWS_PROFILE": "lost"}, r"profile `lost` of .*: cannot read the web_identity_token_file `.*gone`: No such file"),
    "a pod without a role": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not"),
    "a profile that is not there": (
        {"AWS_PROFILE": "bob", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": ROLE},
        "no profile `bob`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_an_error_and_nobody_is_asked(home: dict[str, str], fake: Fake, case: str) -> None:
    env, sentence = REFUSED[case]
    with pytest.raises(NoCredentialsError, match=sentence):
        credentials({**home, **env})
    assert fake.arrived == []


NO_TOKENS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b" \n",
    "too much": lambda: b"secret-of-mine" * 2000,
    "no text": lambda: b"secret-of-mine\xff\xfe",
}


@pytest.mark.parametrize("case", NO_TOKENS)
def test_a_file_that_holds_no_token_is_not_quoted(home: dict[str, str], fake: Fake, case: str) -> None:
    Path(home["HOME"], "token").write_bytes(NO_TOKENS[case]())
    with pytest.raises(NoCredentialsError, match="does not hold a token") as raised:
        credentials({**home, "AWS_PROFILE": "web"})
    assert "secret-of-mine" not in str(raised.value)
    assert fake.arrived == []


def test_a_refusal_says_who_asked_and_not_with_what(home: dict[str, str], fake: Fake) -> None:
    fake.replies = [said("PERMISSION_DENIED", "Not authorized to perform sts:AssumeRoleWithWebIdentity", aws="AccessDenied")]
    with pytest.raises(NoCredentialsError, match=r"profile `web` of .*: .*role/deployer was not assumed: .*Not authorized") as raised:
        credentials({**home, "AWS_PROFILE": "web"})
    assert "first.token" not in str(raised.value)
