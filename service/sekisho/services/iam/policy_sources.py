"""The policies of a user, group or role with their texts, for those who ask about policies instead of decisions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn, policy
from sekisho.calls.call import Call
from sekisho.errors import MalformedPolicyDocument
from sekisho.operations import Resource, resource
from sekisho.policy import validate
from sekisho.services.iam import entities, policy_arns
from sekisho.services.iam.entities import Owner
from sekisho.services.iam.errors import InvalidInput, LimitExceeded, NoSuchEntity
from sekisho.store.db import remaining
from sekisho.store.tables import Attachment, Entity, Group, InlinePolicy, Membership, Policy, PolicyVersion, Role, User

MOST_CHARACTERS = 524_288
"""Characters of all policies that come with one request: four of the largest documents."""

_TABLES: Mapping[str, type[Entity]] = {"user": User, "group": Group, "role": Role, "policy": Policy}


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """A policy with its text. `kind`: `inline`, which has an owner; `aws-managed` or `user-managed`, which has an ARN; or `input`."""

    attached: policy.Attached
    text: str
    kind: str
    name: str
    arn: str = ""
    owner_kind: str = ""
    owner_name: str = ""

    @property
    def id(self) -> str:
        """The name in simulations: `user_alice_inline-1`, or the name of a managed policy or an input."""
        return f"{self.owner_kind}_{self.owner_name}_{self.name}" if self.kind == "inline" else self.name


@resource("policy-source")
def policy_source(call: Call, request: Message, field: str) -> Resource:
    """The user, group, role or policy of an ARN; for one that does not exist, the ARN itself."""
    named = getattr(request, field)
    return entities.resource_of_arn(call, _kind(named), named)


def find(call: Call, text: str) -> Entity:
    """The user, group, role or policy of an ARN; NoSuchEntity, or InvalidInput for what is no such ARN."""
    row = call.row(_TABLES[_kind(text)], text)
    if row is None:
        raise NoSuchEntity(f"ARN {text} was not found.")
    return row


def find_owner(call: Call, text: str) -> Owner:
    """The user, group or role of an ARN; InvalidInput also for a policy's."""
    row = find(call, text)
    if not isinstance(row, User | Group | Role):
        raise InvalidInput(f"Invalid Entity Arn: {text}")
    return row


def identity(call: Call, row: Owner) -> list[SourcePolicy]:
    """The inline and managed policies of a user, group or role; of a user also those of its groups."""
    owners: list[Owner] = [row]
    if isinstance(row, User):
        query = select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == row.id)
        owners += call.session.scalars(query.order_by(Group.name_key)).all()
    return [found for owner in owners for found in (*_inline(call, owner), *_attached(call, owner))]


def boundary(call: Call, row: Owner) -> list[SourcePolicy] | None:
    """The permissions boundary of a user or role; None without one."""
    id_ = getattr(row, "boundary_id", None)
    return _managed(call, [call.session.get_one(Policy, id_)]) if id_ is not None else None


def inputs(call: Call, name: str, texts: Iterable[str], kind: validate.Kind = validate.Kind.IDENTITY) -> list[SourcePolicy]:
    """Policies that came with a request, named `PolicyInputList.1` and so on; InvalidInput when one is no policy of the kind."""
    found = []
    for number, text in enumerate(texts, 1):
        remaining(call.deadline)
        named = f"{name}.{number}"
        try:
            program = policy.compile_policy(validate.check(text, kind))
        except MalformedPolicyDocument as error:
            raise InvalidInput(f"Invalid input: {named}: {error.message}") from None
        found.append(SourcePolicy(policy.Attached(program, name=named), text, "input", named))
    return found


def refuse_excess(*lists: Iterable[str]) -> None:
    """LimitExceeded when the policies of a request are too large together, before any of them is read."""
    given = sum(len(text) for texts in lists for text in texts)
    if given > MOST_CHARACTERS:
        raise LimitExceeded(f"The policies of the request have {given} characters together; at most {MOST_CHARACTERS} are allowed.")


def _kind(text: str) -> str:
    named = arn.entity(text)
    if named is None or named.kind not in _TABLES:
        raise InvalidInput(f"Invalid Entity Arn: {text}")
    return named.kind


def _inline(call: Call, owner: Owner) -> Iterator[SourcePolicy]:
    query = select(InlinePolicy).where(InlinePolicy.owner_id == owner.id).order_by(InlinePolicy.name_key)
    for row in call.session.scalars(query):
        remaining(call.deadline)
        attached = policy.Attached(policy.compile_policy(policy.parse(row.document)), name=row.name)
        yield SourcePolicy(attached, row.document, "inline", row.name, owner_kind=owner.kind, owner_name=owner.name)


def _attached(call: Call, owner: Owner) -> list[SourcePolicy]:
    query = select(Policy).join(Attachment, Attachment.policy_id == Policy.id).where(Attachment.owner_id == owner.id)
    return _managed(call, call.session.scalars(query.order_by(Policy.name_key, Policy.id)).all())


def _managed(call: Call, rows: Sequence[Policy]) -> list[SourcePolicy]:
    return [managed(call, row) for row in rows]


def managed(call: Call, row: Policy) -> SourcePolicy:
    """The version of a managed policy that is in force."""
    remaining(call.deadline)
    text = call.session.get_one(PolicyVersion, (row.id, row.default_version)).document
    named = entities.arn_of(row)
    attached = policy.Attached(policy.compile_policy(policy.parse(text)), arn=named, version=f"v{row.default_version}")
    kind = "aws-managed" if row.account_id == policy_arns.AWS else "user-managed"
    return SourcePolicy(attached, text, kind, row.name, arn=named)
