"""Names of roles' sessions, as policies speak of them.

Whoever assumes a role names the session. So what one session of a role is let in to, whoever may assume the role under that name is let in
to. A role acts here in each session that a policy speaks of, by its ARN as a principal or by `aws:userid`, and in one besides whose name no
policy speaks of: it stands for all others, of which decisions are the same. Of a pattern for names one that fits is tried.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from sekisho import arn, policy
from sekisho.analysis.escalation.estate import Estate, Mentions
from sekisho.analysis.inside import USER_ID
from sekisho.policy import patterns, variables
from sekisho.policy.keys import Values
from sekisho.policy.patterns import ANY, ONE
from sekisho.policy.variables import Variable
from sekisho.world import AccountRecord, GroupRecord, PrincipalRecord, placement

ROLE_SESSION_NAME = "sts:rolesessionname"
"""The condition key of the name that is asked for."""

MOST = 8
"""Sessions of one role that policies speak of, and that are followed."""
MOST_NAMED = 1_000
"""Of one account, that many: each is looked at as a principal is."""
MOST_SPOKEN = 500
"""Patterns of user ids in the policies of one account, each of which is compared with each role; and of names of one role's sessions."""
MOST_ASKED = 8
"""Names that are tried where conditions ask for one."""

_OTHERS = ("escalation", "another-one", "zz-0")


class _Spoken(NamedTuple):
    names: tuple[str, ...]
    tests: tuple[patterns.Matcher, ...]


class Names:
    """The names of sessions of an account's roles; `left_out` says, in words, of which there were too many."""

    def __init__(self, estate: Estate, proceed: Callable[[], None] = lambda: None) -> None:
        self._account, self._proceed = estate.account_id, proceed
        self._mentions = estate.mentions if estate.mentions is not None else mentioned(policies_of(estate))
        self._heads = [(patterns.matcher(patterns.tokens(head)), tail) for head, tail in sorted(self._mentions.ids)]
        self._roles: dict[str, _Spoken] = {}
        self._tails: dict[str, tuple[str, patterns.Matcher]] = {}  # by a pattern, a name that fits, and what tells whether one does
        self._found = 0
        self.left_out: dict[str, None] = {}
        if self._mentions.is_cut:
            self.left_out[f"policies of an account speak of more than {MOST_SPOKEN} patterns of user ids"] = None

    def of(self, role: PrincipalRecord) -> tuple[str, ...]:
        """The names of which policies speak."""
        return self._spoken(role).names

    def other(self, role: PrincipalRecord) -> str:
        """A name of which none speaks."""
        return next((name for name in _OTHERS if self.is_other(role, name)), _OTHERS[0])

    def is_other(self, role: PrincipalRecord, name: str) -> bool:
        """True where a session with the name is as good as one of which no policy speaks."""
        return not any(test(name) for test in self._spoken(role).tests)

    def _spoken(self, role: PrincipalRecord) -> _Spoken:
        if not self._heads and not self._mentions.arns:
            return _NOTHING
        found = self._roles.get(role.id)
        if found is None:
            found = self._roles[role.id] = self._look(role)
        return found

    def _look(self, role: PrincipalRecord) -> _Spoken:
        self._proceed()
        spoken = dict.fromkeys(self._mentions.arns.get((role.account_id, role.name), ()))
        spoken |= dict.fromkeys(tail for fits, tail in self._heads if fits(role.id))
        if len(spoken) > MOST_SPOKEN:
            self.left_out[f"policies speak of more than {MOST_SPOKEN} patterns of sessions of {role.arn}"] = None
        tails = [self._tail(tail) for tail in islice(spoken, MOST_SPOKEN)]
        names = list(dict.fromkeys(name for name, _ in tails if name))
        if len(names) > MOST:
            self.left_out[f"policies speak of more than {MOST} sessions of {role.arn}"] = None
            names = names[:MOST]
        if self._found + len(names) > MOST_NAMED:
            self.left_out[f"policies speak of more than {MOST_NAMED} sessions of roles of {self._account}"] = None
            names = names[: MOST_NAMED - self._found]
        self._found += len(names)
        return _Spoken(tuple(names), tuple(test for _, test in tails))

    def _tail(self, pattern: str) -> tuple[str, patterns.Matcher]:
        found = self._tails.get(pattern)
        if found is None:
            found = self._tails[pattern] = _filled(pattern), patterns.matcher(patterns.tokens(pattern))
        return found


_NOTHING = _Spoken((), ())


def asked(who: Values, policies: Iterable[policy.Attached]) -> Iterator[str]:
    """The names that conditions on the name of a new session ask for, of a principal with these keys."""
    tried: set[str] = set()
    for attached in policies:
        if ROLE_SESSION_NAME not in attached.program.keys:
            continue
        for rule in attached.program.rules:
            for key, condition, _ in rule.tests:
                for value in condition.values if key == ROLE_SESSION_NAME else ():
                    name = _asked(value, who, dynamic=rule.dynamic)
                    if arn.is_session_name(name) and name not in tried and len(tried) < MOST_ASKED:
                        tried.add(name)
                        yield name


def _asked(value: str, who: Values, *, dynamic: bool) -> str:
    text = []
    for part in variables.parse(value, variables=dynamic, wildcards=True):
        found = who.get(part.key, part.default) if isinstance(part, Variable) else part if isinstance(part, str) else "x"
        if not isinstance(found, str):
            return ""
        text.append(found)
    return "".join(text)


def mentioned(policies: Iterable[policy.Attached]) -> Mentions:
    """The sessions of roles that policies speak of, whoever's they are."""
    arns: dict[tuple[str, str], dict[str, None]] = {}
    ids: set[tuple[str, str]] = set()
    seen: set[int] = set()
    for attached in policies:
        program = attached.program
        if id(program) in seen:
            continue
        seen.add(id(program))
        for rule in program.rules:
            if rule.statement.principals is not None:
                for name in rule.statement.principals.aws:
                    if (session := _session(name)) is not None:
                        arns.setdefault(session[:2], {})[session[2]] = None
        if USER_ID in program.keys:
            ids |= {found for value in _user_ids(program) if (found := _of_user_id(value)) is not None}
    kept = sorted(ids)[:MOST_SPOKEN]
    return Mentions({key: tuple(names) for key, names in arns.items()}, frozenset(kept), is_cut=len(kept) < len(ids))


def united(mentions: Iterable[Mentions]) -> Mentions:
    """All that is said, here or there."""
    arns: dict[tuple[str, str], dict[str, None]] = {}
    ids: set[tuple[str, str]] = set()
    is_cut = False
    for one in mentions:
        for key, names in one.arns.items():
            arns.setdefault(key, {}).update(dict.fromkeys(names))
        ids |= one.ids
        is_cut = is_cut or one.is_cut
    return Mentions({key: tuple(names) for key, names in arns.items()}, frozenset(ids), is_cut=is_cut)


def policies_of(estate: Estate) -> Iterator[policy.Attached]:
    """All policies that decisions about an account's principals may read."""
    for one in estate.principals:
        yield from one.inline
        if one.trust is not None:
            yield one.trust
    for managed in estate.policies:
        yield from (managed.attached, *managed.others)
    for id_ in estate.groups:
        group = estate.lookup(id_)
        if isinstance(group, GroupRecord):
            yield from group.inline
    yield from (one.policy for one in estate.resources if one.policy is not None)
    account = estate.lookup(estate.account_id)
    place = placement(account, estate.lookup) if isinstance(account, AccountRecord) else None
    if place is not None:
        yield from chain.from_iterable((*(place.scps or ()), *(place.rcps or ())))


def _session(name: str) -> tuple[str, str, str] | None:
    """Account, role and name of a session's ARN."""
    segments = name.split(":", 5)
    if len(segments) != 6 or segments[2] != "sts":
        return None
    parts = segments[5].split("/")
    return (segments[4], parts[1], parts[2]) if len(parts) == 3 and parts[0] == "assumed-role" else None


def _user_ids(program: policy.Program) -> Iterator[str]:
    for rule in program.rules:
        for key, condition, _ in rule.tests:
            if key == USER_ID:
                yield from condition.values


def _of_user_id(value: str) -> tuple[str, str] | None:
    """Patterns of a role's id and of a session's name, of a value of `aws:userid`; None where it asks for no name."""
    head, colon, tail = value.rpartition(":")
    if not colon and "*" in value:
        star = value.index("*")
        head, tail = value[: star + 1], value[star:]
    return (head, tail) if head and tail.strip("*") and "${" not in value else None


def _filled(pattern: str) -> str:
    """A name that fits, empty where none is one of a session."""
    tokens = patterns.tokens(pattern)
    for rest in ("", "x", "xx"):
        name = "".join(rest if token is ANY else "x" if token is ONE else str(token) for token in tokens)
        if arn.is_session_name(name):
            return name
    return ""
