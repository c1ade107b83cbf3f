"""Where a program's credentials come from: the environment, or a file in the format of AWS's shared credentials.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import configparser
from collections.abc import Mapping
from pathlib import Path

from sekisho.sigv4 import Credentials


class NoCredentialsError(Exception):
    """There are no credentials where they were looked for; says where."""


def from_file(path: Path, profile: str) -> Credentials:
    """The credentials of a profile in a file: `aws_access_key_id`, `aws_secret_access_key` and, of a session, `aws_session_token`."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.expanduser().read_text())
    except OSError as error:
        raise NoCredentialsError(f"cannot read the credentials file `{path}`: {error.strerror}") from None
    except (configparser.Error, UnicodeDecodeError):
        # without the parser's own words, which quote the line
        raise NoCredentialsError(f"`{path}` is not a credentials file: it needs [profile] and lines of `name = value`") from None
    if not parser.has_section(profile):
        known = ", ".join(f"`{name}`" for name in parser.sections()) or "none"
        raise NoCredentialsError(f"no profile `{profile}` in `{path}`; it has {known}")
    return _credentials({f"aws_{name}": parser[profile].get(f"aws_{name}", "") for name in _MEMBERS}, f"profile `{profile}` of `{path}`")


def from_env(env: Mapping[str, str]) -> Credentials:
    """The credentials that an environment names.

    AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else the profile SEKISHO_PROFILE (default `root`) of the file
    SEKISHO_CREDENTIALS; else the profile AWS_PROFILE (default `default`) of AWS_SHARED_CREDENTIALS_FILE (default ~/.aws/credentials).
    """
    if env.get("AWS_ACCESS_KEY_ID"):
        return _credentials({f"aws_{name}": env.get(f"AWS_{name.upper()}", "") for name in _MEMBERS}, "the environment")
    if file := env.get("SEKISHO_CREDENTIALS"):
        return from_file(Path(file), env.get("SEKISHO_PROFILE") or "root")
    return from_file(Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"), env.get("AWS_PROFILE") or "default")


_MEMBERS = ("access_key_id", "secret_access_key", "session_token")


def _credentials(found: Mapping[str, str], place: str) -> Credentials:
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        if not found[name]:
            raise NoCredentialsError(f"{place} has no {name}")
    return Credentials(found["aws_access_key_id"], found["aws_secret_access_key"], found["aws_session_token"] or None)
