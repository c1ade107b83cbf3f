"""Roles that profiles name, assumed at the server that the client asks, chain by chain.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

import getpass
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from sekisho.api.sts.v1 import sessions_pb2
from sekisho.api.sts.v1.client import StsClient
from sekisho.client.errors import Error
from sekisho.client.processes import Process
from sekisho.client.profiles import MEMBERS, Profile, Profiles, static
from sekisho.client.retries import Retries
from sekisho.client.sources import Found, NoCredentialsError, Refreshing, Source, Temporary
from sekisho.client.transport import TLS, Transport
from sekisho.sigv4 import Credentials

TIMEOUT = 10.0
"""Seconds that assuming a role may take."""

LONGEST_TOKEN = 20_000
"""Bytes of a web identity's token, at the most, as STS has it."""

_NOT_WITH_TOKEN = ("source_profile", "credential_source", "mfa_serial", "external_id")
"""Members of a profile that say what AssumeRoleWithWebIdentity cannot be told."""

_ELSEWHERE = {  # what a profile can hold that leads to a service of AWS
    "sso_session": "signs in with SSO: `aws configure export-credentials` has its credentials",
    "sso_start_url": "signs in with SSO: `aws configure export-credentials` has its credentials",
    "login_session": "signs in with a browser: `aws configure export-credentials` has its credentials",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where roles are assumed."""

    endpoint: str
    audience: str
    tls: TLS | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """What credentials of profiles depend on, beside the files: the environment and, once it is needed, the server."""

    env: Mapping[str, str]
    server: Callable[[], Server]


@dataclass(frozen=True, slots=True)
class Role:
    """A role as a profile, or a command line, asks for it; empty is what is not said."""

    arn: str
    session_name: str = ""
    external_id: str = ""
    duration_seconds: int = 0
    mfa_serial: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that makes it another session than others."""
        return (self.arn, self.session_name, self.external_id, str(self.duration_seconds), self.mfa_serial)


def of_profile(profiles: Profiles, name: str, where: Where, visited: tuple[str, ...] = ()) -> Found | None:
    """The credentials of a profile, by whatever way it names; None when it names none. Chains that lead back are refused."""
    profile = profiles.find(name)
    members = profile.members
    for member, what in _ELSEWHERE.items():
        if members.get(member):
            raise NoCredentialsError(f"{profile.place} {what}")
    # As AWS's tools have it: of the profile that was asked for the role counts for more, of those that it leads to the keys do.
    if visited and profile.is_static:
        return _static(profile)
    if members.get("role_arn"):
        return _of_role(profiles, profile, where, visited)
    if members.get("web_identity_token_file"):
        raise NoCredentialsError(f"{profile.place} has a web_identity_token_file and no role_arn")
    if profile.is_static:
        return _static(profile)
    if command := members.get("credential_process"):
        return Found(Refreshing(Process(command, profile.place)), profile.place, (command,))
    return None


def of_environment(where: Where) -> Found | None:
    """The credentials of AWS_ROLE_ARN for the web identity whose token stands in AWS_WEB_IDENTITY_TOKEN_FILE; None without the latter."""
    env = where.env
    if not (file := env.get("AWS_WEB_IDENTITY_TOKEN_FILE")):
        return None
    if not (arn := env.get("AWS_ROLE_ARN")):
        raise NoCredentialsError("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not")
    return federated(Role(arn, env.get("AWS_ROLE_SESSION_NAME", "")), Path(file), where, "AWS_WEB_IDENTITY_TOKEN_FILE")


def assumed(role: Role, through: Found, where: Where, place: str) -> Found:
    """The credentials of a role that those of `through` assume; it is assumed when the first call needs it."""
    server = where.server()
    return Found(Refreshing(lambda: assume(role, through.source, server, place)), place, (*role.names, *through.names))


def federated(role: Role, token_file: Path, where: Where, place: str) -> Found:
    """The credentials of a role for the web identity whose token stands in a file; it is assumed when the first call needs it."""
    server = where.server()
    return Found(Refreshing(lambda: assume_with_token(role, token_file, server, place)), place, (*role.names, str(token_file)))


def assume(role: Role, source: Source, server: Server, place: str) -> Temporary:
    """Assume a role; NoCredentialsError says which could not be, and why. The code of an MFA device is asked for at the terminal."""
    code = ask_code(role.mfa_serial) if role.mfa_serial else ""
    with _sts(role, source, server, place) as sts:
        answer = sts.assume_role(
            role_arn=role.arn,
            role_session_name=_session_name(role),
            external_id=role.external_id or None,
            duration_seconds=role.duration_seconds or None,
            serial_number=role.mfa_serial or None,
            token_code=code or None,
        )
    return temporary(answer.credentials)


def assume_with_token(role: Role, token_file: Path, server: Server, place: str) -> Temporary:
    """Assume a role with the token that a file holds at this moment, by a call that nobody signs; NoCredentialsError says why not."""
    token = _token(token_file, place)
    with _sts(role, None, server, place) as sts:
        answer = sts.assume_role_with_web_identity(
            role_arn=role.arn,
            role_session_name=_session_name(role),
            web_identity_token=token,
            duration_seconds=role.duration_seconds or None,
        )
    return temporary(answer.credentials)


def temporary(given: sessions_pb2.Credentials) -> Temporary:
    """The credentials of an answer of STS."""
    found = Credentials(given.access_key_id, given.secret_access_key, given.session_token)
    return Temporary(found, given.expiration.ToDatetime(UTC))


def ask_code(serial: str) -> str:
    """The code of an MFA device, asked for at the terminal, which does not show it; NoCredentialsError where nobody sits at one.

    A program in the background is not at it: to ask would stop the program.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise NoCredentialsError(f"a code of the MFA device {serial} is needed, and there is no terminal to ask for it") from None
    try:
        in_front = os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        in_front = False
    finally:
        os.close(terminal)
    if not in_front:
        raise NoCredentialsError(f"a code of the MFA device {serial} is needed, and this program is not in front of its terminal")
    try:
        return getpass.getpass(f"Enter MFA code for {serial}: ").strip()
    except EOFError:
        raise NoCredentialsError(f"no code of the MFA device {serial} was given") from None


@contextmanager
def _sts(role: Role, source: Source | None, server: Server, place: str) -> Iterator[StsClient]:
    """STS at a server, whose refusal becomes a NoCredentialsError; without a source, calls are not signed."""
    transport = Transport(
        server.endpoint, source, audience=server.audience, tls=server.tls, timeout=TIMEOUT, retries=Retries(), interceptors=()
    )
    try:
        yield StsClient(transport)
    except Error as error:
        raise NoCredentialsError(f"{place}: {role.arn} was not assumed: {error}") from None
    finally:
        transport.close()


def _session_name(role: Role) -> str:
    return role.session_name or f"sekisho-{int(time.time())}"


def _token(file: Path, place: str) -> str:
    """The token in a file, which whoever runs the program replaces before it ends. It is a secret: no error quotes it."""
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(LONGEST_TOKEN + 1)
    except OSError as error:
        raise NoCredentialsError(f"{place}: cannot read the web_identity_token_file `{file}`: {error.strerror}") from None
    token = content.strip()
    if not token or len(content) > LONGEST_TOKEN or not token.isascii():
        raise NoCredentialsError(f"{place}: the web_identity_token_file `{file}` does not hold a token")
    return token.decode()


def _static(profile: Profile) -> Found:
    found = static(profile.members, profile.place)
    return Found(found, profile.place, (found.access_key_id,))


def _of_role(profiles: Profiles, profile: Profile, where: Where, visited: tuple[str, ...]) -> Found:
    members = profile.members
    through, by = members.get("source_profile"), members.get("credential_source")
    if file := members.get("web_identity_token_file"):
        for member in _NOT_WITH_TOKEN:
            if members.get(member):
                raise NoCredentialsError(f"{profile.place} has both a web_identity_token_file and {member}")
        return federated(_role(profile), Path(file), where, profile.place)
    if through and by:
        raise NoCredentialsError(f"{profile.place} names both a source_profile and a credential_source")
    if through:
        before = _source(profiles, profile, through, where, (*visited, profile.name))
    elif by == "Environment":
        keys = {f"aws_{name}": where.env.get(f"AWS_{name.upper()}", "") for name in MEMBERS}
        found = static(keys, f"the environment, the credential_source of {profile.place},")
        before = Found(found, "AWS_ACCESS_KEY_ID", (found.access_key_id,))
    elif by:
        raise NoCredentialsError(f"the credential_source `{by}` of {profile.place} is one of AWS's machines; of ours there is Environment")
    else:
        raise NoCredentialsError(f"{profile.place} assumes a role, and names neither source_profile nor credential_source")
    return assumed(_role(profile), before, where, profile.place)


def _source(profiles: Profiles, profile: Profile, name: str, where: Where, visited: tuple[str, ...]) -> Found:
    """The credentials that a profile's role is assumed with. A profile may name itself if it has keys, and no other that led to it."""
    if name in visited and not (name == profile.name and profile.is_static):
        raise NoCredentialsError(f"the source_profile of {profile.place} leads back to itself: {' → '.join((*visited, name))}")
    found = of_profile(profiles, name, where, visited)
    if found is None:
        raise NoCredentialsError(f"{profiles.find(name).place}, the source_profile of {profile.place}, has no aws_access_key_id")
    return found


def _role(profile: Profile) -> Role:
    members = profile.members
    given = members.get("duration_seconds", "")
    if given and not (given.isascii() and given.isdecimal()):
        raise NoCredentialsError(f"the duration_seconds of {profile.place} is not a number")
    return Role(
        arn=members["role_arn"],
        session_name=members.get("role_session_name", ""),
        external_id=members.get("external_id", ""),
        duration_seconds=int(given or 0),
        mfa_serial=members.get("mfa_serial", ""),
    )
