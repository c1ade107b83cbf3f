"""Policy documents as files: where in the file something is wrong, before any server is asked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.cli import directory, organization_file
from sekisho.cli.directory import Account, Words
from sekisho.cli.marks import Misplaced
from sekisho.cli.organization_file import NAME, RCP, SCP, Organization

if TYPE_CHECKING:
    from sekisho.policy.validate import Kind


def read(path: Path) -> str:
    """The text of a file; bytes that are no UTF-8 are refused where they stand."""
    return path.read_text(errors="surrogateescape")


def refuse(path: Path, kind: "Kind", words: Words | None = None) -> str:
    """The text with its words replaced, if a server would take it as a policy of this kind; else Misplaced says what is wrong, and where.

    The place is that of the first error in the text as it stands in the file.
    """
    from sekisho.errors import SekishoError
    from sekisho.policy import validate

    original = read(path)
    text = original if words is None else words.fill(original)
    try:
        validate.check(text, kind)
    except SekishoError as error:
        found = next((one for one in validate.findings(text, kind) if one.severity is validate.Severity.ERROR), None)
        if found is None:
            raise Misplaced(f"{path}: {error.message}") from None
        column = found.column if words is None else words.column(original, found.line, found.column)
        raise Misplaced(f"{path}:{found.line}:{column}: {found.issue}: {found.message} ({error.message})") from None
    return text


def refuse_all(folder: Path, account: Account) -> None:
    """Look through every policy of a directory; Misplaced for the first that a server would refuse."""
    from sekisho.policy.validate import Kind

    for name in account.policies:
        refuse(folder / "policies" / f"{name}.json", Kind.MANAGED, account.words)
    for identity in (*account.groups, *account.users, *account.roles):
        for name in identity.inline:
            refuse(folder / "policies" / f"{name}.json", Kind.IDENTITY, account.words)
    for role in account.roles:
        refuse(folder / "trust" / f"{role.name}.json", Kind.TRUST, account.words)


def refuse_organization(folder: Path, organization: Organization) -> None:
    """Look through the control policies of an organization; Misplaced for the first that a server would refuse."""
    for policy in organization.policies.values():
        kind = _control(policy.type)
        if kind is not None:
            refuse(folder / "policies" / f"{policy.name}.json", kind, organization.words)


def _control(type_: str) -> "Kind | None":
    """The kind of the documents of a type of policies; None for those that are not in the language of policies."""
    from sekisho.policy.validate import Kind

    return {SCP: Kind.SCP, RCP: Kind.RCP}.get(type_)


def listed(places: Sequence[Path], given: Mapping[str, str], kind: "Kind | None") -> "list[tuple[Path, Kind, Words]]":
    """The policies in files and folders, with what each is to be and the words in it; ValueError for a place that has none."""
    from sekisho.policy.validate import Kind

    found: list[tuple[Path, Kind, Words]] = []
    for place in places:
        if place.is_dir():
            inside = list(_inside(place, given, kind))
            if not inside:
                raise ValueError(f"the folder `{place}` has no policy, a file named ….json")
            found += inside
        else:
            found.append((place, kind or Kind.MANAGED, Words(given)))
    return found


def _inside(folder: Path, given: Mapping[str, str], kind: "Kind | None") -> "Iterator[tuple[Path, Kind, Words]]":
    """The policies of a folder: of the accounts in it, what lies in their policies/ and trust/; of a folder without one, every ….json.

    The words are those of the account, also where the folder is a part of one.
    """
    from sekisho.policy.validate import Kind

    def kinds(file: Path, managed: Collection[str] | None) -> Kind:
        usual = Kind.TRUST if file.parent.name == "trust" else Kind.MANAGED if managed is None or file.stem in managed else Kind.IDENTITY
        return kind or usual

    organizations = {file.parent for file in folder.rglob(NAME)}
    accounts = sorted(file.parent for file in folder.rglob("account.yaml"))
    of_organizations: set[Path] = set()
    for place in sorted(organizations):
        types, words = organization_file.outline(place, given, directory.SOME_ACCOUNT)
        for name, type_ in types.items():
            of_organizations.add(place / "policies" / f"{name}.json")
            if (control := kind or _control(type_)) is not None:
                yield place / "policies" / f"{name}.json", control, words
    for account in accounts:
        managed, words = directory.outline(account, given)
        for file in sorted({*account.glob("policies/*.json"), *account.glob("trust/*.json")} - of_organizations):
            yield file, kinds(file, managed), words
    if not accounts and not organizations:
        around = next((parent for parent in folder.resolve().parents if (parent / "account.yaml").is_file()), None)
        named, words = directory.outline(around, given) if around is not None else (None, Words(given))
        for file in sorted(folder.rglob("*.json")):
            yield file, kinds(file, named), words
