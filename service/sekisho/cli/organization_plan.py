"""The differences between an organization and the file that describes it, and how it is brought about through the public rpcs.

First the organization and the types of policies, then policies, units from the root down, and accounts. What is attached is attached
before anything is detached: the last service control policy of a target cannot go. Accounts are made and moved, and never taken away.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli.changes import Change, Part, Result, Step, part
from sekisho.cli.differences import difference, is_same, tag_messages, tagged, unchangeable, untagged
from sekisho.cli.organization_file import SCP, Member, Names, Organization, Policy, Target, Unit
from sekisho.cli.organization_state import State

if TYPE_CHECKING:
    from sekisho.client import Client

FULL_ACCESS = "p-FullAWSAccess"


class _Place(NamedTuple):
    """A target by its id: now, empty when it is not there, and when something is done to it."""

    now: str
    find: Callable[[], str]


class Comparison:
    """Compares an organization with a file."""

    def __init__(self, client: "Client", account_id: str, wanted: Organization) -> None:
        self._wanted, self._org = wanted, client.organizations
        self._state = State(client, account_id)

    def steps(self) -> list[Step]:
        """The comparisons, in an order in which each change finds what it needs."""
        found = [Step("organization", self._organization)]
        found += [Step(f"policy {one.name}", lambda one=one: self._policy(one)) for one in self._wanted.policies.values()]  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
        found += [Step(one.title, lambda one=one: self._unit(one)) for one in self._wanted.units]  # type: ignore[misc]  # as above
        found += [Step(f"account {one.name}", lambda one=one: self._member(one)) for one in self._wanted.members]  # type: ignore[misc]  # as above
        return found

    def surplus(self) -> tuple[list[Change], list[str]]:
        """The changes that take away what the file does not name, in order; and the names of what stays all the same."""
        state = self._state
        named = {one.id for member in self._wanted.members if (one := state.get_account(member.email, member.id)) is not None}
        strangers = [id_ for id_ in sorted(state.accounts) if id_ not in named and id_ != state.account_id]
        stays = [f"account {state.accounts[id_].name} {id_}, which stays" for id_ in strangers]
        held = {path[:depth] for id_ in strangers for path in [state.parents[id_]] for depth in range(len(path) + 1)}
        wanted = {unit.path for unit in self._wanted.units}
        gone: list[Change] = []
        for path in sorted(state.unit_ids.keys() - wanted, key=lambda path: (-len(path), path)):
            title = _title(path)
            if path in held:
                stays.append(f"{title}, in which accounts hang, and which stays")
            else:
                id_ = state.unit_ids[path]
                gone.append(Change(title, "deleted", (part("itself", self._org.delete_organizational_unit, organizational_unit_id=id_),)))
        for (type_, name), policy in sorted(state.policies.items()):
            if not policy.aws_managed and (name not in self._wanted.policies or self._wanted.policies[name].type != type_):
                gone.append(Change(f"policy {name}", "deleted", tuple(self._deletion(policy))))
        for type_ in sorted(state.types - {*self._wanted.types}):
            disable = part(f"type {type_} enabled", self._org.disable_policy_type, root_id=state.unit_ids[()], policy_type=type_)
            gone.append(Change(f"type {type_}", "deleted", (disable,)))
        return gone, stays

    def _organization(self) -> Change:
        """The organization itself, with the types of policies that are in force."""
        state = self._state
        missing = [type_ for type_ in self._wanted.types if type_ not in state.types]
        parts: list[Part] = [] if state.exists else [("with all features", self._create)]
        parts += [(f"type {type_} enabled", self._enabling(type_)) for type_ in missing]
        result: Result = "created" if not state.exists else "changed" if parts else "unchanged"
        fixed = unchangeable("feature set", "ALL", state.features) if state.exists else []
        return Change("organization", result, tuple(parts), (), tuple(fixed))

    def _create(self) -> None:
        self._org.create_organization(feature_set="ALL")
        self._state.unit_ids[()] = self._org.list_roots().roots[0].id

    def _enabling(self, type_: str) -> Callable[[], object]:
        """The work of having a type of policies in force."""
        return lambda: self._org.enable_policy_type(root_id=self._state.unit_ids[()], policy_type=type_)

    def _policy(self, wanted: Policy) -> Change:
        """A policy: its text, its description, its tags."""
        what, present = f"policy {wanted.name}", self._state.policies.get((wanted.type, wanted.name))
        if present is None:
            said = "\n".join((wanted.type, *(f"tag {key}: {value}" for key, value in wanted.tags.items())))
            return Change(what, "created", ((said, lambda: self._create_policy(wanted)),))
        id_ = self._state.policy_ids[wanted.name] = present.id
        parts: list[Part] = []
        text = self._state.content(present)
        if not is_same(text, wanted.document):
            said = difference("document", text, wanted.document)
            parts.append((said, lambda: self._org.update_policy(policy_id=id_, content=wanted.document)))
        if wanted.description != present.description:
            said = f"description {present.description!r} → {wanted.description!r}"
            parts.append((said, lambda: self._org.update_policy(policy_id=id_, description=wanted.description)))
        tags, extra = self._tags(wanted.tags, _Place(id_, lambda: id_))
        parts += tags
        return Change(what, "changed" if parts else "unchanged", tuple(parts), tuple(extra))

    def _create_policy(self, wanted: Policy) -> None:
        tags = tag_messages(wanted.tags)
        made = self._org.create_policy(
            name=wanted.name, type=wanted.type, content=wanted.document, description=wanted.description, tags=tags
        )
        self._state.policy_ids[wanted.name] = made.policy.policy_summary.id

    def _unit(self, wanted: Unit) -> Change:
        """The root, or a unit, with what is attached to it."""
        ids, path = self._state.unit_ids, wanted.path
        place = _Place(ids.get(path, ""), lambda: ids[path])
        parts: list[Part] = []
        if path and not place.now:
            parts.append((_described(f"in {_title(path[:-1])}", wanted.target), lambda: self._create_unit(wanted)))
        return self._target(wanted.title, wanted.target, place, parts, made=bool(parts))

    def _create_unit(self, wanted: Unit) -> None:
        made = self._org.create_organizational_unit(
            parent_id=self._state.unit_ids[wanted.path[:-1]], name=wanted.path[-1], tags=tag_messages(wanted.target.tags)
        )
        self._state.unit_ids[wanted.path] = made.organizational_unit.id

    def _member(self, wanted: Member) -> Change:
        """An account: where it hangs, and what is attached to it."""
        state, what = self._state, f"account {wanted.name}"
        present = state.get_account(wanted.email, wanted.id)
        if present is None and wanted.id:
            raise ValueError(f"{what}: {wanted.id} is no member of the organization; invite it first")
        parts: list[Part] = []
        fixed: list[str] = []
        if present is None:
            said = f"{wanted.email}\nin {_title(wanted.parent)}"
            parts.append((_described(said, wanted.target), lambda: self._create_account(wanted)))
        else:
            if present.id in state.account_ids.values():
                raise ValueError(f"{what}: {present.id} stands in two places, by its id and by its e-mail")
            state.account_ids[wanted.key] = present.id
            now = state.parents[present.id]
            if now != wanted.parent:
                parts.append((f"in {_title(now)} → {_title(wanted.parent)}", lambda: self._move(present.id, now, wanted)))
            fixed += unchangeable("name", wanted.name, present.name) if wanted.email else []
            fixed += [f"it is {present.state.lower()}"] if present.state != "ACTIVE" else []
        place = _Place(present.id if present is not None else "", lambda: state.account_ids[wanted.key])
        return self._target(what, wanted.target, place, parts, made=present is None, fixed=tuple(fixed))

    def _create_account(self, wanted: Member) -> None:
        tags = tag_messages(wanted.target.tags)
        asked = self._org.create_account(email=wanted.email, account_name=wanted.name, role_name=wanted.role, tags=tags)
        id_ = asked.create_account_status.id
        status = self._org.describe_create_account_status(create_account_request_id=id_).create_account_status
        if status.state != "SUCCEEDED":
            raise ValueError(f"account {wanted.name}: it could not be made: {status.failure_reason or status.state}")
        self._state.account_ids[wanted.key] = status.account_id
        if wanted.parent:
            self._move(status.account_id, (), wanted)

    def _move(self, account_id: str, now: Names, wanted: Member) -> None:
        ids = self._state.unit_ids
        self._org.move_account(account_id=account_id, source_parent_id=ids[now], destination_parent_id=ids[wanted.parent])

    def _target(self, what: str, wanted: Target, place: _Place, parts: list[Part], *, made: bool, fixed: tuple[str, ...] = ()) -> Change:
        """The change of a target: its own parts, then tags, and what is attached."""
        extra: list[Part] = []
        if not made:
            tags, extra = self._tags(wanted.tags, place)
            parts = [*parts, *tags]
        attached, more = self._attachments(wanted, place)
        parts = [*parts, *attached]
        result: Result = "created" if made else "changed" if parts else "unchanged"
        return Change(what, result, tuple(parts), (*extra, *more), fixed)

    def _tags(self, wanted: Mapping[str, str], place: _Place) -> tuple[list[Part], list[Part]]:
        """Tags whose keys differ by case, as those of organizations do."""
        org = self._org
        present = self._state.tags(place.now) if place.now else []
        parts = tagged(wanted, present, lambda tags: org.tag_resource(resource_id=place.find(), tags=tags), key_of=str)
        extra = untagged(wanted, present, lambda keys: org.untag_resource(resource_id=place.find(), tag_keys=keys), key_of=str)
        return list(parts), list(extra)

    def _attachments(self, wanted: Target, place: _Place) -> tuple[list[Part], list[Part]]:
        state = self._state
        present = state.attached.get(place.now, set())
        parts = [
            (f"policy {name} attached", self._attaching(name, place))
            for name in wanted.attached
            if name not in state.policy_ids or state.policy_ids[name] not in present
        ]
        if SCP in self._wanted.types:
            there = FULL_ACCESS in present
            if wanted.full_access and not there and place.now and SCP in state.types:
                parts.append(("policy FullAWSAccess attached", self._attaching(FULL_ACCESS, place)))
            if not wanted.full_access and (there or not place.now or SCP not in state.types):
                parts.append(("policy FullAWSAccess detached", self._detaching(FULL_ACCESS, place.find)))
        named = {state.policy_ids.get(name, "") for name in wanted.attached}
        surplus = sorted((state.title(id_), id_) for id_ in present - named - {FULL_ACCESS})
        return parts, [(f"policy {title} attached", self._detaching(id_, place.find)) for title, id_ in surplus]

    def _attaching(self, name: str, place: _Place) -> Callable[[], object]:
        """The work of attaching a policy, by its name in the file or by the id of one of AWS's."""
        return lambda: self._org.attach_policy(policy_id=self._state.policy_ids.get(name, name), target_id=place.find())

    def _detaching(self, policy_id: str, find: Callable[[], str]) -> Callable[[], object]:
        """The work of detaching a policy, which may have gone with its type."""

        def work() -> None:
            with _unless("PolicyNotAttached"):
                self._org.detach_policy(policy_id=policy_id, target_id=find())

        return work

    def _deletion(self, policy: Any) -> Iterator[Part]:
        """The parts of taking a policy away, from all that it is attached to first."""
        for target_id in sorted(id_ for id_, attached in self._state.attached.items() if policy.id in attached):
            yield f"attached to {target_id}", self._detaching(policy.id, lambda id_=target_id: id_)  # type: ignore[misc]  # as above
        yield "itself", lambda: self._org.delete_policy(policy_id=policy.id)


@contextmanager
def _unless(code: str) -> Iterator[None]:
    """Have an error of this code be none."""
    from sekisho.client import Error

    try:
        yield
    except Error as error:
        if error.code != code:
            raise


def _title(path: Names) -> str:
    return Unit(path, Target()).title


def _described(said: str, target: Target) -> str:
    """The line about what is made, with its tags."""
    return "\n".join((said, *(f"tag {key}: {value}" for key, value in target.tags.items())))
