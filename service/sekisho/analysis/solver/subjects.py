"""The variables of a request: who asks, and the condition keys that follow from that; keys that nothing determines stand in `contexts`.

A principal is one text and its kind: the ARN of a user, a root user, a federated user or the role, the name of a service, the provider that
vouches. Account, path and name are parts of that text, so that what is said of one holds for the others: `aws:PrincipalAccount` is a
language of ARNs. In the same way `aws:userid` is the text of the unique id of a user or role, which for a session has the session's name
behind a colon: who is named by an id, or by the name of a session, is asked for by a language of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from sekisho import arn
from sekisho.analysis.solver import languages, shapes
from sekisho.analysis.solver.formulas import FALSE, Fact, Formula, every, no, some, within
from sekisho.analysis.solver.languages import ANYTHING, NO_COLON, Chars, Item, Language, Run
from sekisho.policy.principals import OUTSIDERS, SESSIONS, Principal

PRINCIPAL, CANONICAL = "principal", "canonical id"
USER_ID = "key aws:userid 0"
"""`aws:userid` of users, roles and sessions, whether a policy asks for it or not; that of others follows from their ARN."""
ACTION, RESOURCE = "action", "resource"

_TEXTS = {"user": "iam", "root": "iam", "role": "iam", "assumed-role": "iam", "federated-user": "sts"}
"""Kinds of principals that have an account, and the service of their ARNs; a session's is its role's."""
KINDS = (*_TEXTS, "service", "anonymous", "federated")
OF_IDENTITY = ("user", "assumed-role", "role")
"""Kinds that have identity-based policies of their own."""
TYPES = {
    "user": "User",
    "root": "Account",
    "role": "AssumedRole",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}
"""`aws:PrincipalType` by kind."""

_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-"
_WORDS = Chars(frozenset(_WORD), False)
_NAME: Run = (Item(_WORDS), Item(_WORDS, True))
_PATH: Run = (Item(Chars(frozenset(), True), True), languages.one("/"))
_NO_SLASH = Chars(frozenset("/"), True)
_ID: Run = (Item(Chars(frozenset(f":{shapes.DIGITS}"), True)), Item(NO_COLON, True))  # begins with a letter: an account's is no user's
_DIGITS = Chars(frozenset(shapes.DIGITS), False)


def _arn(service: str, account: Run, rest: Run) -> Run:
    return (*shapes.PARTITION, *languages.text(f":{service}::"), *account, languages.one(":"), *rest)


def _of_kind(kind: str) -> Language:
    """The texts of principals of a kind."""
    if kind == "anonymous":
        return languages.EMPTY_TEXT
    if kind in ("service", "federated"):
        return Language([(Item(Chars(frozenset("* "), True)), Item(Chars(frozenset("* "), True), True))])
    if kind == "root":
        return Language([_arn(_TEXTS[kind], shapes.ACCOUNT, languages.text("root"))])
    stem = languages.text("role/" if kind == "assumed-role" else f"{kind}/")
    paths = ((),) if kind == "federated-user" else ((), _PATH)
    return Language(_arn(_TEXTS[kind], shapes.ACCOUNT, (*stem, *path, *_NAME)) for path in paths)


SHAPE = {kind: _of_kind(kind) for kind in KINDS}
_SESSION_NAME: Run = (*(languages.of(_WORD),) * 2, languages.of(_WORD, repeats=True))
SESSION_NAMES = Language([_SESSION_NAME])
"""The names of role sessions, and longer ones."""
USER_IDS: Mapping[str, Language] = {
    "user": Language([_ID]),
    "role": Language([_ID]),
    "assumed-role": Language([(*_ID, languages.one(":"), *_SESSION_NAME)]),
}
"""The texts of `USER_ID`, by kind."""


def kind(name: str) -> Formula:
    """The principal is of this kind."""
    return Fact(f"kind {name}")


def of_kinds(names: Iterable[str]) -> Formula:
    """The principal is of one of these kinds."""
    return some(map(kind, names))


@lru_cache(maxsize=8)
def rules(listed: tuple[str, ...], *, known: bool = False) -> tuple[Formula, ...]:
    """The rules for every principal of these kinds; `known`: whose user id is known, whatever that is."""
    return (
        of_kinds(listed),
        *(no(every((kind(one), kind(other)))) for i, one in enumerate(listed) for other in listed[:i]),
        *(no(kind(name)) for name in KINDS if name not in listed),
        *(some((no(kind(name)), within(PRINCIPAL, SHAPE[name]))) for name in listed),
        *(some((no(kind(name)), within(USER_ID, USER_IDS[name]))) for name in listed if name in USER_IDS and not known),
        # Root credentials cannot assume a role, whatever policies say.
        some((no(kind("root")), no(within(ACTION, languages.literals(["sts:assumerole"]))))),
    )


def account(language: Language) -> Formula:
    """The account of a principal that has one is in the language."""
    accounts = [run for one in language.runs if (run := languages.restricted(one, _DIGITS)) is not None]
    runs = [_arn(service, run, (ANYTHING,)) for run in accounts for service in ("iam", "sts")]
    return every((of_kinds(_TEXTS), within(PRINCIPAL, Language(runs))))


def _arn_key(language: Language) -> Formula:
    return within(PRINCIPAL, language)


def _account_key(language: Language) -> Formula:
    return some((account(language), kind("anonymous") if language.has("anonymous") else FALSE))


def _type_key(language: Language) -> Formula:
    return of_kinds(name for name, text in TYPES.items() if language.has(text))


def _name_key(language: Language) -> Formula:
    names = [run for one in language.runs if (run := languages.restricted(one, _NO_SLASH)) is not None]
    stem = languages.text("user/")
    return within(PRINCIPAL, Language(_arn("iam", shapes.ACCOUNT, (*stem, *path, *run)) for run in names for path in ((), _PATH)))


FOLLOWING: Mapping[str, tuple[tuple[str, ...], Callable[[Language], Formula]]] = {
    "aws:principalarn": (tuple(_TEXTS), _arn_key),
    "aws:principalaccount": ((*_TEXTS, "anonymous"), _account_key),
    "aws:principaltype": (tuple(TYPES), _type_key),
    "aws:username": (("user",), _name_key),
}
"""Keys that the principal determines: of which kinds it has them, and what it is for their value to be in a language."""


def user_id(language: Language) -> Formula:
    """`aws:userid` of a principal of an account is in the language: of the root user it is the account, of a federated user that and the
    name.
    """
    return some(
        (
            every((of_kinds(USER_IDS), within(USER_ID, language))),
            every((kind("root"), account(language))),
            every((kind("federated-user"), within(PRINCIPAL, Language(_federated(language))))),
        )
    )


def _federated(language: Language) -> Iterator[Run]:
    """The ARNs of federated users whose user ids are in a language, by each place where the colon may be."""
    stem = languages.text("federated-user/")
    for run in language.runs:
        for place, item in enumerate(run):
            if item.chars.has(":"):
                kept = (item,) if item.repeats else ()
                before = languages.restricted((*run[:place], *kept), _DIGITS)
                after = languages.restricted((*kept, *run[place + 1 :]), _WORDS)
                if before is not None and after is not None:
                    yield _arn("sts", before, (*stem, *after))


def named(names: Iterable[str]) -> Formula:
    """The principal's own ARN, or that of its role, is one of these; a user's or a role's unique id, too."""
    listed = list(names)
    arns = every((of_kinds(("user", "federated-user", "role", "assumed-role")), within(PRINCIPAL, _arns(listed))))
    return some((arns, _of_ids(listed), session_named(listed)))


def role_named(names: Iterable[str]) -> Formula:
    """The principal is of a role that one of these names: by its ARN or its unique id."""
    listed = list(names)
    return every((of_kinds(("role", "assumed-role")), some((within(PRINCIPAL, _arns(listed)), _of_ids(listed)))))


def _arns(names: Iterable[str]) -> Language:
    return languages.literals(name for name in names if ":" in name)


def _of_ids(names: Iterable[str]) -> Formula:
    """The unique id of the principal, or of its role, is one of these."""
    ids = [name for name in names if ":" not in name]
    of_sessions = Language((*languages.text(id_), languages.one(":"), ANYTHING) for id_ in ids)
    alone = every((of_kinds(("user", "role")), within(USER_ID, languages.literals(ids))))
    return some((alone, every((kind("assumed-role"), within(USER_ID, of_sessions)))))


def session_named(names: Iterable[str]) -> Formula:
    """The principal is a role session whose own ARN is one of these."""
    found = []
    for name in names:
        segments = name.split(":")
        parts = segments[-1].split("/")
        if len(segments) != 6 or segments[2:4] != ["sts", ""] or parts[0] != "assumed-role" or len(parts) != 3:
            continue
        start = languages.text(f"arn:{segments[1]}:iam::{segments[4]}:role/")
        role = Language((*start, *path, *languages.text(parts[1])) for path in ((), _PATH))
        session = Language([(*_ID, languages.one(":"), *languages.text(parts[2]))])
        found.append(every((within(PRINCIPAL, role), within(USER_ID, session))))
    return every((kind("assumed-role"), some(found)))


def is_outside() -> Formula:
    """The principal has no account of its own."""
    return of_kinds(OUTSIDERS)


def is_somebody(principal: Principal, said: object) -> bool:
    """There can be such a principal: `aws:userid`, if the request says it, is its own, and its session has a name that one can have."""
    name = principal.arn.rpartition("/")[2]
    if principal.kind in SESSIONS and not arn.is_session_name(name):
        return False
    own = {"root": principal.account, "federated-user": f"{principal.account}:{name}"}
    own |= dict.fromkeys(SESSIONS, f"{principal.unique_id}:{name}")
    return said is None or (principal.kind not in OUTSIDERS and said == own.get(principal.kind, principal.unique_id))
