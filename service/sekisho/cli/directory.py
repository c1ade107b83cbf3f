"""An account as files: what `sekisho load` reads.

    DIR/account.yaml           names, paths, tags, memberships, attachments, boundaries
    DIR/policies/NAME.json     the managed and inline policies that account.yaml names
    DIR/trust/NAME.json        the trust policy of the role NAME

ACCOUNT_ID in any of them becomes the number of the account that is loaded into; `define` in account.yaml adds words like it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import yaml

ACCOUNT = "ACCOUNT_ID"
SOME_ACCOUNT = "111122223333"
"""What stands for an account where nobody says which it is."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy."""

    name: str
    document: str
    path: str = "/"
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def arn(self, account: str) -> str:
        """Its ARN in an account."""
        return f"arn:aws:iam::{account}:policy{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, group or role; which members it has depends on which it is."""

    name: str
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    inline: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None
    groups: tuple[str, ...] = ()
    trust: str = ""
    description: str | None = None
    max_session: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What an account shall hold."""

    policies: Mapping[str, Policy]
    groups: tuple[Identity, ...]
    users: tuple[Identity, ...]
    roles: tuple[Identity, ...]
    words: "Words"


_MEMBERS = {
    "policies": {"path", "description", "tags"},
    "groups": {"path", "policies", "inline"},
    "users": {"path", "tags", "policies", "inline", "boundary", "groups"},
    "roles": {"path", "tags", "policies", "inline", "boundary", "description", "max_session"},
}


class Words:
    """Puts values in place of the words that stand for them in the files."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {word: values.get(value, value) for word, value in values.items()}
        self._pattern = re.compile(rf"\b({'|'.join(map(re.escape, values))})\b") if values else None

    def fill(self, text: str) -> str:
        """The text with every word replaced."""
        return text if self._pattern is None else self._pattern.sub(lambda match: self._values[match[1]], text)

    def column(self, original: str, line: int, column: int) -> int:
        """Where a column of a line that was filled stands in the line as it was, both from 1."""
        text = original.split("\n")[line - 1]
        grown = 0
        for match in self._pattern.finditer(text) if self._pattern is not None else ():
            value = self._values[match[1]]
            if column <= match.start() + grown + len(value):
                return min(column - grown, match.start() + 1) if column > match.start() + grown else column - grown
            grown += len(value) - len(match[1])
        return column - grown


def definitions(given: Iterable[str] | None) -> dict[str, str]:
    """WORD=VALUE, each word once, as a command line gives them."""
    pairs = [item.partition("=") for item in given or ()]
    found = {word: value for word, _, value in pairs}
    if len(found) != len(pairs) or not all(word and equals for word, equals, _ in pairs):
        raise typer.BadParameter("WORD=VALUE, each word once", param_hint="--define")
    return found


def read(folder: Path, account_id: str, given: Mapping[str, str]) -> Account:
    """The account that a folder describes; ValueError names the file and what is wrong in it."""
    if not folder.is_dir():
        raise ValueError(
            f"`{folder}` is a file, not a folder with an account.yaml" if folder.exists() else f"there is no folder `{folder}`"
        )
    if not (folder / "account.yaml").is_file():
        raise ValueError(f"the folder `{folder}` has no account.yaml")
    plain = mapping(parsed(folder / "account.yaml", str), "account.yaml")
    own = {str(word): str(value) for word, value in mapping(plain.get("define"), "define").items()}
    if unknown := given.keys() - own.keys():
        raise ValueError(f"account.yaml defines no `{min(unknown)}`")
    words = Words({ACCOUNT: account_id, **own, **given})
    content = mapping(parsed(folder / "account.yaml", words.fill), "account.yaml")
    if unknown := content.keys() - _MEMBERS.keys() - {"define"}:
        raise ValueError(f"account.yaml: `{min(unknown)}` is none of {', '.join(_MEMBERS)}")
    sections = {kind: _section(content, kind) for kind in _MEMBERS}

    def document(kind: str, name: str) -> str:
        path = folder / kind / f"{name}.json"
        original = path.read_text()
        text = words.fill(original)
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{path}:{error.lineno}:{words.column(original, error.lineno, error.colno)}"
            raise ValueError(f"{place}: {error.msg}") from None
        return text

    policies = {name: Policy(name, document("policies", name), **members) for name, members in sections["policies"].items()}

    def identities(kind: str) -> tuple[Identity, ...]:
        found = []
        for name, members in sections[kind].items():
            inline = {inlined: document("policies", inlined) for inlined in members.pop("inline", ())}
            trust = document("trust", name) if kind == "roles" else ""
            attached, joined = (tuple(members.pop(key, ())) for key in ("policies", "groups"))
            found.append(Identity(name, inline=inline, trust=trust, policies=attached, groups=joined, **members))
        return tuple(found)

    account = Account(policies, identities("groups"), identities("users"), identities("roles"), words)
    _refuse_loose_ends(account)
    return account


def outline(folder: Path, given: Mapping[str, str]) -> tuple[set[str], Words]:
    """The managed policies that the account.yaml of a folder names, and its words; the account has a made-up number if nobody gave one."""
    plain = mapping(parsed(folder / "account.yaml", str), "account.yaml")
    own = {str(word): str(value) for word, value in mapping(plain.get("define"), "define").items()}
    return {str(name) for name in mapping(plain.get("policies"), "policies")}, Words({ACCOUNT: SOME_ACCOUNT, **own, **given})


def parsed(path: Path, fill: Any) -> Any:
    """A YAML file with its words replaced."""
    try:
        return yaml.safe_load(fill(path.read_text()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        raise ValueError(f"{where}: {' '.join(filter(None, (error.context, error.problem)))}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def mapping(value: object, what: str) -> dict[str, Any]:
    """The mapping of a file under a key, or nothing; ValueError names the key of whatever else there is."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"`{what}` is no mapping")
    return dict(value)


def _section(content: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    section = {str(name): mapping(members, f"{kind}.{name}") for name, members in mapping(content.get(kind), kind).items()}
    for name, members in section.items():
        if unknown := members.keys() - _MEMBERS[kind]:
            raise ValueError(
                f"account.yaml: `{kind}.{name}` has no member `{min(unknown)}`; it may have {', '.join(sorted(_MEMBERS[kind]))}"
            )
        if "tags" in members:
            members["tags"] = {str(key): str(value) for key, value in mapping(members["tags"], f"{kind}.{name}.tags").items()}
    return section


def _refuse_loose_ends(account: Account) -> None:
    """Everything that is named must be there."""
    policies, groups = set(account.policies), {group.name for group in account.groups}
    for identity in (*account.groups, *account.users, *account.roles):
        wanted = [(name, "policy", policies) for name in identity.policies]
        wanted += [(name, "group", groups) for name in identity.groups]
        wanted += [(identity.boundary, "policy", policies)] if identity.boundary else []
        for name, kind, known in wanted:
            if name not in known and not name.startswith("arn:"):
                raise ValueError(f"account.yaml: `{identity.name}` names the {kind} `{name}`, which is not there")
