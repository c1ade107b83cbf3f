"""The one composition: `question` puts together what `policy.decide` is asked, from records of one world.

A condition key has one value, that of the last of these that has the key:

    clock         aws:CurrentTime and aws:EpochTime
    environment   the connection over which somebody asks about itself
    given         the keys of the request itself
    tags          aws:ResourceTag/KEY, and the same key of the service, as they were given or are registered
    principal     the keys that the subject's records and its session own
    owner         aws:ResourceAccount, aws:ResourceOrgID and aws:ResourceOrgPaths
    override      what Sekisho itself vouches for, or only supposes: a proof that counts once, a simulation's keys

Those who ask may say no key that is reserved (`is_reserved`): it comes from the clock, the principal or the owner, and would be replaced.

The owner of a resource is the account that was given, else the account that its ARN names, else the account in which the question is
asked. What belongs to AWS (`arn:aws:iam::aws:policy/…`) is everybody's to read, and counts as the asking account's own. An owner that is
no account here has no organization, and nothing of one restricts who comes to its resources.

Where the resource is registered (`world.resources`), its tags and its policy are what is registered; a question that says otherwise, or has
another owner, is an error. A registered policy grants nothing while the account of its resource is not active. To an account that asks
about its own principals, another's tags count where that one's policy grants what is asked: else they would be read by policies that are
written to be denied (docs/decisions/0057-tags-are-told-with-a-grant.md).

Those who say `aws:SourceAccount` need not say its organization: `aws:SourceOrgID` and `aws:SourceOrgPaths` are then those of its records.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from sekisho import arn, policy
from sekisho.errors import ValidationError
from sekisho.policy import keys
from sekisho.world import resources
from sekisho.world.acting import Acting, acting
from sekisho.world.placement import Placement, placement
from sekisho.world.records import AWS, AccountRecord, Lookup, ResourceRecord, Subject

Keys = Mapping[str, str | tuple[str, ...]]
"""Values by the names of condition keys, in lower case; a key with a tuple has several values, also where it has one or none."""

Question = tuple[policy.Request, policy.Layers]

NO_KEYS: Keys = MappingProxyType({})
OF_SERVICE: Keys = {"aws:viaawsservice": "false", "aws:principalisawsservice": "false"}
"""What is true of every request so far: no AWS service makes it, nor passes it on."""
_NO_TAGS: Mapping[str, str] = MappingProxyType({})
_MULTIVALUED = frozenset(name for name, key in keys.GLOBAL.items() if key.multivalued)
_OF_OWNER = frozenset(name for name, key in keys.GLOBAL.items() if key.source is keys.Source.RESOURCE and not name.endswith("/"))
_OF_CLOCK = frozenset(name for name, key in keys.GLOBAL.items() if key.source is keys.Source.ENVIRONMENT)


class Asked(NamedTuple):  # costs a third of a frozen dataclass, on every call
    """What is asked of a subject: may it do this action on this resource, in this context?

    `account` is the one in which the question is asked, the subject's own when empty. `tag_prefixes` are the services whose
    `…:ResourceTag/` the resource's tags are, `tagged` those keys where they are made already. `beside` are identity policies that apply
    beside the subject's own. `registered`: what is registered of the resource counts; false where the asker knows all of it.
    """

    action: str
    resource: str
    account: str = ""
    resource_account: str = ""
    resource_policy: policy.Attached | None = None
    tags: Mapping[str, str] = _NO_TAGS
    tag_prefixes: tuple[str, ...] = ("aws",)
    environment: Keys = NO_KEYS
    given: Keys = NO_KEYS
    override: Keys = NO_KEYS
    beside: tuple[policy.Attached, ...] = ()
    registered: bool = True
    tagged: Keys | None = None


def question(subject: Subject | Acting, asked: Asked, lookup: Lookup, now: datetime) -> Question:
    """Compose the inputs of one decision. All that `lookup` finds must be of one world, and so must a subject that is composed already.

    UnknownPrincipal or Unavailable when the subject's records do not suffice, ValidationError when the context is larger than any may be,
    ResourceMismatch when what is asked contradicts what is registered of the resource.
    """
    who = subject if isinstance(subject, Acting) else acting(subject, lookup, now)
    if not asked.registered or asked.resource == "*":
        return _made(who, asked, lookup, now)
    completed, record = _completed(who, asked, lookup, now)
    made = _made(who, completed, lookup, now)
    if record is None or record.account_id in (who.principal.account, asked.account) or resources.is_granted(*made):
        return made
    # Without a grant it is denied, whatever the tags are; so the reasons are given as if there were none.
    if asked.tags or asked.resource_policy is not None or any(":resourcetag/" in key for key in asked.given):
        raise resources.ResourceMismatch(resources.UNTOLD)
    return _made(who, completed._replace(tags=_NO_TAGS, resource_policy=resources.untold(*made)), lookup, now)


def _made(who: Acting, asked: Asked, lookup: Lookup, now: datetime) -> Question:
    owner = asked.resource_account or arn.account_of(asked.resource)
    if not owner or owner == AWS:
        owner = asked.account or who.principal.account
    last, layers = _kept(who) if owner == who.principal.account else _beside(who, owner, _placement(owner, lookup))
    tagged = asked.tagged
    values = {
        **_clock(now),
        **asked.environment,
        **(_as_lists(_with_source(asked.given, lookup)) if asked.given else NO_KEYS),
        **(tag_keys(asked.tags, asked.tag_prefixes) if tagged is None else tagged),
        **last,
    }
    if asked.override:
        values.update(_as_lists(asked.override))
    context = policy.Context(values)
    keys.size(context)  # which refuses what is too large
    if asked.resource_policy is not None or asked.beside:
        identity = (*who.identity, *asked.beside) if asked.beside else who.identity
        layers = policy.Layers(identity, asked.resource_policy, who.boundary, who.session, who.scps, layers.rcps)
    return policy.Request(who.principal, asked.action, asked.resource, owner, context), layers


_Beside = tuple[Keys, policy.Layers]
"""The keys that nothing said in a question changes, the principal's and the owner's; and the layers that the subject's account has on it,
and the owner of the resource on the resource.
"""


def _kept(who: Acting) -> _Beside:
    """Of a resource of the subject's own account, which the composed subject keeps."""
    kept: _Beside | None = who.kept.get(_OWN)
    if kept is None:
        kept = who.kept[_OWN] = _beside(who, who.principal.account, who.placement)
    return kept


_OWN = "own"


def _beside(who: Acting, owner: str, place: Placement | None) -> _Beside:
    """Of a resource of an account that stands there."""
    last = {**who.keys, "aws:resourceaccount": owner}
    if place is not None:
        last["aws:resourceorgid"], last["aws:resourceorgpaths"] = place.organization_id, (place.path,)
    rcps = place.rcps if place is not None else None
    return last, policy.Layers(who.identity, None, who.boundary, who.session, who.scps, rcps)


def _completed(who: Acting, asked: Asked, lookup: Lookup, now: datetime) -> tuple[Asked, ResourceRecord | None]:
    """The question with what its resource's account has registered of it, and the record of that."""
    holder = arn.account_of(asked.resource) or asked.resource_account or asked.account or who.principal.account
    active = True
    if holder == who.principal.account:
        registers = who.registers
    else:
        account = lookup(holder) if arn.is_account_id(holder) else None
        if not isinstance(account, AccountRecord):
            return asked, None
        registers, active = account.registers, account.status == "ACTIVE"
    record = resources.get(holder, asked.resource, registers, lookup) if registers else None
    if record is None:
        return asked, None
    told = holder in (who.principal.account, asked.account)
    if not told:
        _refuse_without_room(who, asked, lookup, now)
    resources.refuse_contradiction(
        record,
        account=asked.resource_account,
        tags=asked.tags,
        keys=asked.given,
        prefixes=(*asked.tag_prefixes, asked.action.partition(":")[0]),
        given=asked.resource_policy,
        told=told,
    )
    policy_ = record.policy if active else None
    return asked._replace(resource_account=record.account_id, tags=record.tags, tagged=None, resource_policy=policy_), record


def _refuse_without_room(who: Acting, asked: Asked, lookup: Lookup, now: datetime) -> None:
    """ValidationError for a question that has no room for the largest tags that there may be. Else whether there is room for those of
    another account would tell how long they are, or that a guess is right.
    """
    try:
        _made(who, asked._replace(tags=resources.LARGEST_TAGS, tagged=None, resource_policy=None), lookup, now)
    except ValidationError as error:
        raise ValidationError(f"{error.message}, with room for the tags of a registered resource") from None


@lru_cache(maxsize=4096)  # services send the same few keys with each question
def is_reserved(key: str) -> bool:
    """Tell the condition keys of the clock, the principal and the resource's owner, whose values only Sekisho says."""
    lowered = key.lower()
    return lowered in _OF_CLOCK or lowered in _OF_OWNER or keys.owned_by_principal(key)


def _clock(now: datetime) -> Keys:
    return _second(int(now.timestamp()))


@lru_cache(maxsize=16)  # all questions of a second are asked at one time
def _second(since_epoch: int) -> Keys:
    now = datetime.fromtimestamp(since_epoch, UTC)
    return {"aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "aws:epochtime": str(since_epoch)}


def _as_lists(given: Keys) -> Keys:
    """The keys with a tuple wherever the key's own row says that it has several values."""
    if _MULTIVALUED.isdisjoint(given):
        return given
    single = [name for name in _MULTIVALUED & given.keys() if isinstance(given[name], str)]
    return {**given, **{name: (str(given[name]),) for name in single}} if single else given


def tag_keys(tags: Mapping[str, str], prefixes: Iterable[str] = ("aws",)) -> Keys:
    """The condition keys that the tags of a resource are."""
    return {f"{prefix}:resourcetag/{key.lower()}": value for prefix in prefixes for key, value in tags.items()} if tags else NO_KEYS


def _placement(account: str, lookup: Lookup) -> Placement | None:
    """Where the owner of a resource stands in its organization."""
    record = lookup(account) if arn.is_account_id(account) else None
    return placement(record, lookup) if isinstance(record, AccountRecord) else None


def _with_source(given: Keys, lookup: Lookup) -> Keys:
    """The keys of a request with those of the organization of the account that it comes from, unless it says them itself."""
    account = given.get("aws:sourceaccount")
    if not isinstance(account, str) or "aws:sourceorgid" in given or "aws:sourceorgpaths" in given:
        return given
    place = _placement(account, lookup)
    return {**given, "aws:sourceorgid": place.organization_id, "aws:sourceorgpaths": (place.path,)} if place is not None else given
