"""AWS's profiles: the shared credentials file and the config file beside it, as they stand.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sekisho.client.sources import NoCredentialsError
from sekisho.sigv4 import Credentials

MEMBERS = ("access_key_id", "secret_access_key", "session_token")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile says, and where."""

    name: str
    members: Mapping[str, str]
    file: Path

    @property
    def place(self) -> str:
        """For the sentence that says who asks."""
        return f"profile `{self.name}` of {self.file}"

    @property
    def is_static(self) -> bool:
        """True when credentials stand in it."""
        return bool(self.members.get("aws_access_key_id") or self.members.get("aws_secret_access_key"))

    @property
    def assumes_with_credentials(self) -> bool:
        """True when it names a role that other credentials assume, not a web identity."""
        return bool(self.members.get("role_arn")) and not self.members.get("web_identity_token_file")


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles of some files, by name."""

    known: Mapping[str, Profile]
    files: tuple[Path, ...]

    def find(self, name: str) -> Profile:
        """The profile of a name; NoCredentialsError says which there are."""
        if name not in self.known:
            listed = ", ".join(f"`{profile}`" for profile in self.known) or "none"
            places = " or ".join(f"`{file}`" for file in self.files)
            raise NoCredentialsError(f"no profile `{name}` in {places}; {'they have' if len(self.files) > 1 else 'it has'} {listed}")
        return self.known[name]


def files(env: Mapping[str, str]) -> tuple[Path, Path]:
    """The shared credentials file and the config file of an environment."""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    named = (("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), ("AWS_CONFIG_FILE", ".aws/config"))
    return (_file(env, home, *named[0]), _file(env, home, *named[1]))


def of_file(path: Path) -> Profiles:
    """The profiles of a file alone, whose sections are their names."""
    return Profiles({name: Profile(name, members, path) for name, members in sections(path).items()}, (path,))


def shared(env: Mapping[str, str]) -> Profiles:
    """The profiles of both files of an environment: the credentials file counts for more than the config file."""
    credentials_file, config_file = files(env)
    known: dict[str, Profile] = {}
    for file, prefix, variable in ((config_file, "profile ", "AWS_CONFIG_FILE"), (credentials_file, "", "AWS_SHARED_CREDENTIALS_FILE")):
        if not file.exists() and not env.get(variable):
            continue
        for section, members in sections(file).items():
            name = _profile(section, prefix)
            if name is not None:
                before = known[name].members if name in known else {}
                known[name] = Profile(name, {**before, **members}, file)
    return Profiles(known, (credentials_file, config_file))


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


def _file(env: Mapping[str, str], home: Path, variable: str, usual: str) -> Path:
    given = env.get(variable)
    return home / usual if not given else home / given[2:] if given.startswith("~/") else Path(given)


def _profile(section: str, prefix: str) -> str | None:
    """The profile that a section is about; the config file also has sections about other things."""
    if section == "default" or not prefix:
        return section
    return section.removeprefix(prefix).strip() if section.startswith(prefix) else None
