"""Where a program's credentials come from: the environment, or the files and helper programs that AWS's own tools read.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html and .../file-format.html
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from sekisho.client import profiles, roles
from sekisho.client.roles import Server, Where
from sekisho.client.sources import Found, NoCredentialsError, Source
from sekisho.client.transport import tls_from_env
from sekisho.sigv4 import Credentials

__all__ = ["Found", "NoCredentialsError", "find", "from_env", "from_file", "of_profile", "server_from_env", "source_from_env"]

AUDIENCE = "sekisho"


def server_from_env(env: Mapping[str, str]) -> Server:
    """The server of SEKISHO_ENDPOINT, with SEKISHO_AUDIENCE and the files of TLS where they are set; ValueError without an endpoint."""
    endpoint = env.get("SEKISHO_ENDPOINT")
    if not endpoint:
        raise ValueError("no endpoint: set SEKISHO_ENDPOINT to HOST:PORT")
    return Server(endpoint, env.get("SEKISHO_AUDIENCE") or AUDIENCE, tls_from_env(env))


def from_file(path: Path, profile: str) -> Credentials:
    """The credentials of a profile in a file: `aws_access_key_id`, `aws_secret_access_key` and, of a session, `aws_session_token`."""
    found = profiles.of_file(path).find(profile)
    return profiles.static(found.members, f"profile `{profile}` of `{path}`")


def of_profile(name: str, env: Mapping[str, str], file: Path | None = None, server: Callable[[], Server] | None = None) -> Found:
    """The credentials of a profile of AWS's files, or of a file alone. Where it assumes roles, that is at `server`, SEKISHO_ENDPOINT's
    without one.
    """
    known = profiles.of_file(file) if file is not None else profiles.shared(env)
    found = roles.of_profile(known, name, Where(env, server or (lambda: server_from_env(env))))
    if found is None:
        raise NoCredentialsError(f"{known.find(name).place} has no aws_access_key_id")
    return found


def find(env: Mapping[str, str], server: Callable[[], Server] | None = None) -> Found | None:
    """The credentials that an environment names, in the order in which AWS's tools look; None when it names none.

    AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else the profile SEKISHO_PROFILE (default `root`) of the file
    SEKISHO_CREDENTIALS; else the role AWS_ROLE_ARN for the token in AWS_WEB_IDENTITY_TOKEN_FILE, unless the profile that follows has a role
    that other credentials assume; else the profile AWS_PROFILE (default `default`) of AWS_SHARED_CREDENTIALS_FILE (default
    ~/.aws/credentials) and AWS_CONFIG_FILE (default ~/.aws/config), with its role or its `credential_process`. Credentials that are named
    but cannot be had, and those of AWS's machines (containers), are a NoCredentialsError: nobody is to ask as somebody else by accident.
    Roles are assumed at `server`, SEKISHO_ENDPOINT's without one.
    """
    if env.get("AWS_ACCESS_KEY_ID") or env.get("AWS_SECRET_ACCESS_KEY"):
        members = {f"aws_{name}": env.get(f"AWS_{name.upper()}", "") for name in profiles.MEMBERS}
        signer = profiles.static(members, "the environment")
        return Found(signer, "AWS_ACCESS_KEY_ID", (signer.access_key_id,))
    if file := env.get("SEKISHO_CREDENTIALS"):
        return of_profile(env.get("SEKISHO_PROFILE") or "root", env, Path(file), server)
    name = env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE")
    known = profiles.shared(env)
    where = Where(env, server or (lambda: server_from_env(env)))
    profile = known.find(name) if name else known.known.get("default")
    # As AWS's tools have it: of a profile, only a role that other credentials assume counts for more.
    if (profile is None or not profile.assumes_with_credentials) and (federated := roles.of_environment(where)) is not None:
        return federated
    if name or env.get("AWS_SHARED_CREDENTIALS_FILE") or "default" in known.known:
        found = roles.of_profile(known, name or "default", where)
        if found is not None:
            return found
        if name or env.get("AWS_SHARED_CREDENTIALS_FILE"):
            raise NoCredentialsError(f"{known.find(name or 'default').place} has no aws_access_key_id")
    for variable in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        if env.get(variable):
            raise NoCredentialsError(f"{variable} is set, and credentials of that kind are not read; give AWS_PROFILE or AWS_ACCESS_KEY_ID")
    return None


def source_from_env(env: Mapping[str, str], server: Callable[[], Server] | None = None) -> Source:
    """The credentials that an environment names, as `find` looks for them; temporary ones are renewed before they end."""
    found = find(env, server)
    if found is None:
        raise NoCredentialsError(
            f"no credentials: there are neither AWS_ACCESS_KEY_ID, SEKISHO_CREDENTIALS nor a profile in {profiles.files(env)[0]}"
        )
    return found.source


def from_env(env: Mapping[str, str]) -> Credentials:
    """The credentials of this moment that an environment names, as `find` looks for them."""
    source = source_from_env(env)
    return source if isinstance(source, Credentials) else source()
