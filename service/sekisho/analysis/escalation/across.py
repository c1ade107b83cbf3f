"""Paths across accounts: who can become an administrator of another account of the organization.

For each account the search goes backwards from whoever becomes an administrator of it: first who becomes one of those from another account
(`between`), then who can become that principal in its own account, and again from there, a few accounts far. Each hop is what the evaluator
decided.

Where control policies hold an account back, the same is searched once more for each way to free it of them (`freeing`) that somebody is
permitted, as if that were done. Whoever frees it has then the path that it has afterwards, behind the hops that free (`freed`).
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain

from sekisho import arn, policy
from sekisho.analysis.escalation import freeing, sessions
from sekisho.analysis.escalation.between import Between, Proceed
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.freed import Freed
from sekisho.analysis.escalation.freeing import Realm
from sekisho.analysis.escalation.freers import Freers
from sekisho.analysis.escalation.paths import Found, Hop, Path, begun, chained
from sekisho.analysis.escalation.search import Reached, find_reached
from sekisho.world import NO_KEYS, ControlPolicyRecord, Keys

MOST_CROSSED = 4
"""Times that a path goes into another account."""
MOST_FREED = 20_000
"""Users and roles that are looked at again, once for each way to free their account: as many as are looked at without. Each account has a
share of them by its size, and what is left of it is the next one's: so each can be searched once, whatever others take.
"""

Hops = tuple[Hop, ...]
Inside = tuple[Found, Mapping[str, Reached]]


def find_across(
    account_id: str,
    estates: Sequence[Estate],
    realm: Realm | None = None,
    *,
    supposed: Keys = NO_KEYS,
    proceed: Proceed = lambda: None,
) -> Found:
    """The shortest path of each principal to an administrator of each other account that it reaches; `account_id` is who asks. With a
    `realm`, control policies may be taken away on the way.
    """
    spoken = sessions.united(map(sessions.mentioned, chain((_of_realm(realm),), map(sessions.policies_of, estates))))
    estates = [replace(estate, mentions=spoken) for estate in estates]
    search = _Across(estates, realm, supposed, proceed)
    inside = {estate.account_id: search.inside(estate) for estate in estates}
    paths: list[Path] = []
    left_out = [*(realm.left_out if realm is not None else ()), *(text for found, _ in inside.values() for text in found.left_out)]
    weights = [len(estate.principals) if freeing.is_bound(estate) else 0 for estate in estates]
    left, waiting = MOST_FREED, sum(weights)
    for estate, weight in zip(estates, weights, strict=True):
        search.spent = 0
        reached, cut = search.into(estate, inside[estate.account_id], left * weight // waiting if weight else 0)
        left, waiting = left - search.spent, waiting - weight
        paths += reached
        if cut:
            left_out.append(_cut(estate))
    left_out += search.left_out
    return Found(
        account_id=account_id,
        administrators=tuple(one for found, _ in inside.values() for one in found.administrators),
        paths=tuple(sorted(paths, key=lambda path: (len(path.hops), path.source, path.hops[-1].becomes))),
        principals=sum(found.principals for found, _ in inside.values()),
        decisions=search.decisions,
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _cut(estate: Estate) -> str:
    return f"there are paths into {estate.account_id} through more than {MOST_CROSSED} accounts"


class _Across:
    def __init__(self, estates: Sequence[Estate], realm: Realm | None, supposed: Keys, proceed: Proceed) -> None:
        self._between = Between({estate.account_id: estate for estate in estates}, supposed, proceed)
        self._realm, self._supposed, self._proceed = realm, supposed, proceed
        self._towards: dict[tuple[str, frozenset[str]], Mapping[str, Reached]] = {}
        self._searched = 0
        self.spent = 0
        self.left_out: dict[str, None] = {}

    @property
    def decisions(self) -> int:
        """Decisions that were made."""
        return self._searched + self._between.decisions

    def _freed(self, estate: Estate) -> "_Across":
        """The same organization, in which an account stands as it does in the estate."""
        made = copy(self)
        made._between = self._between.freed(estate)
        made._towards = {key: found for key, found in self._towards.items() if key[0] != estate.account_id}
        made._searched = 0
        return made

    def inside(self, estate: Estate) -> Inside:
        """The paths within an account."""
        found, reached = find_reached(estate, supposed=self._supposed, proceed=self._proceed)
        self._searched += found.decisions
        return found, reached

    def into(self, estate: Estate, inside: Inside, share: int = MOST_FREED) -> tuple[list[Path], bool]:
        """The paths from other accounts to administrators of one, and those that begin with freeing it of control policies; and whether
        there may be longer ones. To free it, `share` users and roles are looked at again.
        """
        known = _within(inside)
        own = frozenset(self._between.of(named).record.arn for named in known)
        cut = self._spread(known, list(known))
        freed = self._freers(estate, known, share)
        if freed:
            known |= freed
            level = list(freed)
            for account in sorted({arn.account_of(named) for named in freed}):
                level += self._near(known, account, frozenset(one for one in freed if arn.account_of(one) == account))
            cut = self._spread(known, level) or cut
        return list(self._paths(known, own)), cut

    def _paths(self, known: Mapping[str, Hops], own: Container[str]) -> Iterator[Path]:
        """The paths of those who have none within the account: of a role that in whatever session or, without one, in a certain one."""
        principals = dict.fromkeys(self._between.of(named).record.arn for named in known)
        for source in principals:
            if source in own:
                continue
            hops = known.get(source)
            if hops is None:
                found = [named for named in self._between.sessions(self._between.of(source)) if named in known]
                named = min(found, key=lambda one: len(known[one]))
                hops = begun(known[named], self._between.of(named).session)
            yield Path(source, chained(hops))

    def _spread(self, known: dict[str, Hops], level: list[str]) -> bool:
        """Add who becomes those of a level, and who becomes those; whether there may be more than was followed."""
        for _ in range(MOST_CROSSED):
            entered: dict[str, dict[str, Hops]] = defaultdict(dict)
            for target in sorted(level, key=lambda one: len(known[one])):
                for actor, entry in self._between.entering(target):
                    source = actor.named
                    if source not in known and source not in entered[actor.record.account_id]:
                        on = self._between.of(target).record.arn
                        hop = Hop(entry.rule, source, on, entry.becomes, entry.grants, presumes=entry.presumes)
                        entered[actor.record.account_id][source] = (hop, *known[target])
            level = []
            for account, found in sorted(entered.items()):
                known |= found
                level += [*found, *self._near(known, account, frozenset(found))]
            if not level:
                break
        return bool(level)

    def _near(self, known: dict[str, Hops], account: str, goals: frozenset[str]) -> list[str]:
        """Add who becomes some principals within their account; those who are new."""
        new = []
        for source, reached in self._nearing(account, goals).items():
            if source not in known:
                known[source] = (*reached.hops, *known[reached.end])
                new.append(source)
        return new

    def _freers(self, estate: Estate, known: Mapping[str, Hops], share: int) -> dict[str, Hops]:
        """Those who free an account and have a path into it then, of those who have none; each with the shortest."""
        steps = freeing.ways(estate, self._realm) if self._realm is not None else ()
        if not steps or self._realm is None:
            return {}
        doers = Freers(self._between, self._realm, self._supposed).of(estate.account_id, steps, known)
        search = Freed(estate, self._after, share, self._proceed, is_whole=self._between.asks_all(estate.account_id))
        search.search(self._realm, steps, doers)
        self.spent += search.spent
        self.left_out |= search.left_out
        return dict(sorted(search.found.items(), key=lambda one: len(one[1])))

    def _after(self, estate: Estate) -> Mapping[str, Hops]:
        """The paths to administrators of an account that stands as it does in the estate."""
        freed = self._freed(estate)
        inside = freed.inside(estate)
        after = _within(inside)
        if freed._spread(after, list(after)):
            self.left_out[_cut(estate)] = None
        self.left_out |= dict.fromkeys(inside[0].left_out)
        self._searched += freed.decisions
        return after

    def _nearing(self, account: str, goals: frozenset[str]) -> Mapping[str, Reached]:
        """The paths within an account to some of its principals."""
        if not goals:
            return {}
        key = (account, goals)
        if key not in self._towards:
            estate = self._between.estates[account]
            found, self._towards[key] = find_reached(estate, goals=goals, supposed=self._supposed, proceed=self._proceed)
            self._searched += found.decisions
        return self._towards[key]


def _within(inside: Inside) -> dict[str, Hops]:
    """The paths that are found within an account, an administrator's without a hop."""
    _, reached = inside
    return {source: one.hops for source, one in reached.items()}


def _of_realm(realm: Realm | None) -> Iterator[policy.Attached]:
    """The control policies of an organization, wherever they are attached."""
    for id_ in realm.types if realm is not None else ():
        record = realm.lookup(id_) if realm is not None else None
        if isinstance(record, ControlPolicyRecord):
            yield record.attached
