"""Where a program's credentials come from: the environment, or the files and helper programs that AWS's own tools read.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html and .../file-format.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sekisho.client import profiles
from sekisho.client.profiles import NoCredentialsError, Source
from sekisho.sigv4 import Credentials

__all__ = ["Found", "NoCredentialsError", "find", "from_env", "from_file", "source_from_env"]


@dataclass(frozen=True, slots=True)
class Found:
    """A source of credentials, and where it is, for the sentence that says who asks."""

    source: Source
    place: str

    def credentials(self) -> Credentials:
        """The credentials of this moment."""
        return self.source if isinstance(self.source, Credentials) else self.source()


def from_file(path: Path, profile: str) -> Credentials:
    """The credentials of a profile in a file: `aws_access_key_id`, `aws_secret_access_key` and, of a session, `aws_session_token`."""
    known = profiles.sections(path)
    if profile not in known:
        listed = ", ".join(f"`{name}`" for name in known) or "none"
        raise NoCredentialsError(f"no profile `{profile}` in `{path}`; it has {listed}")
    return profiles.static(known[profile], f"profile `{profile}` of `{path}`")


def find(env: Mapping[str, str]) -> Found | None:
    """The credentials that an environment names, in the order in which AWS's tools look; None when it names none.

    AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else the profile SEKISHO_PROFILE (default `root`) of the file
    SEKISHO_CREDENTIALS; else the profile AWS_PROFILE (default `default`) of AWS_SHARED_CREDENTIALS_FILE (default ~/.aws/credentials) and
    AWS_CONFIG_FILE (default ~/.aws/config), with its `credential_process`. Credentials that are named but cannot be had, and those of
    AWS's machines (web identities, containers), are a NoCredentialsError: nobody is to ask as somebody else by accident.
    """
    if env.get("AWS_ACCESS_KEY_ID") or env.get("AWS_SECRET_ACCESS_KEY"):
        members = {f"aws_{name}": env.get(f"AWS_{name.upper()}", "") for name in profiles.MEMBERS}
        return Found(profiles.static(members, "the environment"), "AWS_ACCESS_KEY_ID")
    if file := env.get("SEKISHO_CREDENTIALS"):
        name = env.get("SEKISHO_PROFILE") or "root"
        return Found(from_file(Path(file), name), f"profile `{name}` of {file}")
    if found := profiles.shared(env):
        return Found(*found)
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        if env.get(name):
            raise NoCredentialsError(f"{name} is set, and credentials of that kind are not read; give AWS_PROFILE or AWS_ACCESS_KEY_ID")
    return None


def source_from_env(env: Mapping[str, str]) -> Source:
    """The credentials that an environment names, as `find` looks for them; those of a helper program are renewed before they end."""
    found = find(env)
    if found is None:
        raise NoCredentialsError(
            f"no credentials: there are neither AWS_ACCESS_KEY_ID, SEKISHO_CREDENTIALS nor a profile in {profiles.files(env)[0]}"
        )
    return found.source


def from_env(env: Mapping[str, str]) -> Credentials:
    """The credentials of this moment that an environment names, as `find` looks for them."""
    source = source_from_env(env)
    return source if isinstance(source, Credentials) else source()
