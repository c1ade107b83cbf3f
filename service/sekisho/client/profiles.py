"""AWS's profiles: the shared credentials file, the config file beside it, and the helper programs that they name.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html and .../feature-process-credentials.html
"""

import configparser
import json
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sekisho.sigv4 import Credentials

Source = Credentials | Callable[[], Credentials]
"""Credentials, or what gives them for each call: a source that renews temporary ones before they end."""

MEMBERS = ("access_key_id", "secret_access_key", "session_token")
EARLY = timedelta(minutes=5)
"""How long before their end credentials of a helper program are renewed."""

_ELSEWHERE = {  # what a profile can hold that leads to a service of AWS
    "role_arn": "assumes a role: `aws sts assume-role` or `aws configure export-credentials` has its credentials",
    "sso_session": "signs in with SSO: `aws configure export-credentials` has its credentials",
    "sso_start_url": "signs in with SSO: `aws configure export-credentials` has its credentials",
    "web_identity_token_file": "signs in with a web identity",
    "login_session": "signs in with a browser: `aws configure export-credentials` has its credentials",
}


class NoCredentialsError(Exception):
    """There are no credentials where they were looked for; says where."""


def files(env: Mapping[str, str]) -> tuple[Path, Path]:
    """The shared credentials file and the config file of an environment."""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    named = (("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), ("AWS_CONFIG_FILE", ".aws/config"))
    return (_file(env, home, *named[0]), _file(env, home, *named[1]))


def _file(env: Mapping[str, str], home: Path, variable: str, usual: str) -> Path:
    given = env.get(variable)
    return home / usual if not given else home / given[2:] if given.startswith("~/") else Path(given)


def sections(path: Path) -> Mapping[str, Mapping[str, str]]:
    """The sections of a file in AWS's format; NoCredentialsError when it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.expanduser().read_text())
    except OSError as error:
        raise NoCredentialsError(f"cannot read the credentials file `{path}`: {error.strerror}") from None
    except (configparser.Error, UnicodeDecodeError):
        # without the parser's own words, which quote the line
        raise NoCredentialsError(f"`{path}` is not a credentials file: it needs [profile] and lines of `name = value`") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def static(found: Mapping[str, str], place: str) -> Credentials:
    """The credentials that stand in a profile."""
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        if not found.get(name):
            raise NoCredentialsError(f"{place} has no {name}")
    return Credentials(found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token") or None)


def shared(env: Mapping[str, str]) -> tuple[Source, str] | None:
    """The source of the profile that an environment means, and where it is; None when there is no profile and none was asked for."""
    name = env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or "default"
    asked = any(env.get(variable) for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"))
    credentials_file, config_file = files(env)
    given: dict[str, str] = {}
    known: list[str] = []
    place = credentials_file
    # The credentials file counts for more than the config file.
    for file, prefix, variable in ((config_file, "profile ", "AWS_CONFIG_FILE"), (credentials_file, "", "AWS_SHARED_CREDENTIALS_FILE")):
        if not file.exists() and not env.get(variable):
            continue
        found = {_profile(section, prefix): members for section, members in sections(file).items()}
        known += [profile for profile in found if profile is not None and profile not in known]
        if name in found:
            given, place = {**given, **found[name]}, file
    described = f"profile `{name}` of {place}"
    for member, what in _ELSEWHERE.items():
        if given.get(member):
            raise NoCredentialsError(f"{described} {what}")
    if given.get("aws_access_key_id") or given.get("aws_secret_access_key"):
        return static(given, described), described
    if given.get("credential_process"):
        return Process(given["credential_process"], described), described
    if not asked:
        return None
    if name in known:
        raise NoCredentialsError(f"{described} has no aws_access_key_id")
    listed = ", ".join(f"`{profile}`" for profile in known) or "none"
    raise NoCredentialsError(f"no profile `{name}` in `{credentials_file}` or `{config_file}`; they have {listed}")


def _profile(section: str, prefix: str) -> str | None:
    """The profile that a section is about; the config file also has sections about other things."""
    if section == "default" or not prefix:
        return section
    return section.removeprefix(prefix).strip() if section.startswith(prefix) else None


class Process:
    """Credentials that a helper program prints; it is started again shortly before they end. Threads may share it."""

    def __init__(self, command: str, place: str) -> None:
        self._command, self._place = command, place
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._until: datetime | None = None

    def __call__(self) -> Credentials:
        with self._lock:
            ends = self._until is not None and datetime.now(UTC) >= self._until - EARLY
            if self._held is None or ends:
                self._held, self._until = self._asked()
            return self._held

    def _asked(self) -> tuple[Credentials, datetime | None]:
        try:
            # The owner of the profile names the program. What it says on standard error is for people; its output is never quoted.
            done = subprocess.run(shlex.split(self._command), stdout=subprocess.PIPE, check=False)  # noqa: S603  # as it is named
        except (OSError, ValueError) as error:
            raise NoCredentialsError(f"the credential_process of {self._place} cannot be started: {error}") from None
        if done.returncode != 0:
            raise NoCredentialsError(f"the credential_process of {self._place} ended with code {done.returncode}")
        try:
            said = json.loads(done.stdout)
            credentials = Credentials(said["AccessKeyId"], said["SecretAccessKey"], said.get("SessionToken"))
            texts = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token or "")
            if said["Version"] != 1 or not all(isinstance(text, str) for text in texts):
                raise ValueError
            until = datetime.fromisoformat(said["Expiration"]) if said.get("Expiration") else None
        except (ValueError, KeyError, TypeError):
            raise NoCredentialsError(f"the credential_process of {self._place} printed no credentials of version 1") from None
        return credentials, until if until is None or until.tzinfo is not None else until.replace(tzinfo=UTC)
