"""The policy simulator: the decisions that policies would come to, without doing anything.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sekisho import arn, policy
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.calls.call import Call
from sekisho.calls.turns import Turn, Turns
from sekisho.errors import InvalidArn, ValidationError
from sekisho.operations import operation
from sekisho.policy import layers, steps, validate
from sekisho.policy.budget import TooMuchWork
from sekisho.services.iam import entities, policy_sources, trust
from sekisho.services.iam.entities import Owner
from sekisho.services.iam.errors import InvalidInput, LimitExceeded
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.services.iam.simulator import MOST_BYTES, Simulation
from sekisho.store.db import remaining
from sekisho.store.paging import PAGE
from sekisho.store.tables import Group, Role, User
from sekisho.world import NO_KEYS, Acting, Keys, Lookup, Question, Subject

_MOST_RESOURCES = 1000  # no more than decisions of a page, which has one action at the least
_MOST_ACTIONS = 10_000  # of all pages
_MOST_DECISIONS = 2000  # of one page
_turns = Turns()
"""One simulation of a worker computes at a time; after a slice of time it is another account's turn."""
_A_ROLE = "arn:aws:iam::123456789012:role/of-any-name"
_SINGLE_TYPES = ("", "string", "numeric", "boolean", "ip", "binary", "date")
_BOUNDARY = "permission-boundary"


@operation
def simulate_custom_policy(call: Call, request: pb.SimulateCustomPolicyRequest) -> pb.SimulateCustomPolicyResponse:
    """The request brings all policies; the caller is a user of its account, named or not."""
    levels = (level.service_control_policy_input_list for level in request.ordered_organization_policy_input_list)
    _refuse_excess(request, *levels)
    if request.resource_policy and not request.caller_arn:
        raise InvalidInput("CallerArn is required when a ResourcePolicy is given.")
    with _turns.turn(call.account_id, call.deadline) as turn:
        return _custom(call, request, turn)


def _custom(call: Call, request: pb.SimulateCustomPolicyRequest, turn: Turn) -> pb.SimulateCustomPolicyResponse:
    simulation = Simulation(
        subject=_user(call, request.caller_arn) if request.caller_arn else _stranger(call.account_id),
        keys=_keys(request),
        identity=tuple(policy_sources.inputs(call, "PolicyInputList", request.policy_input_list)),
        boundary=_boundary_inputs(call, request),
        resource_policy=_resource_policy(call, request),
        scps=_scps(call, request.ordered_organization_policy_input_list),
        trusts=_trusts(call, request),
        owner=_owner(request.resource_owner),
    )
    results, marker = _page(call, request, simulation, turn)
    return pb.SimulateCustomPolicyResponse(evaluation_results=results, is_truncated=marker is not None, marker=marker)


@operation
def simulate_principal_policy(call: Call, request: pb.SimulatePrincipalPolicyRequest) -> pb.SimulatePrincipalPolicyResponse:
    """With the policies and the boundary that a user, group or role has, those of the request beside them, without those excluded."""
    _refuse_excess(request)
    with _turns.turn(call.account_id, call.deadline) as turn:
        return _principal(call, request, turn)


def _principal(call: Call, request: pb.SimulatePrincipalPolicyRequest, turn: Turn) -> pb.SimulatePrincipalPolicyResponse:
    source = policy_sources.find_owner(call, request.policy_source_arn)
    if request.resource_policy and isinstance(source, Group) and not request.caller_arn:
        raise InvalidInput("CallerArn is required when a ResourcePolicy is given and the PolicySourceArn is not a user.")
    excluded = [_excluded(identifier) for identifier in request.policy_exclusion_list]
    identity = [one for one in policy_sources.identity(call, source) if not any(test(one, one.kind) for test in excluded)]
    simulation = Simulation(
        subject=_user(call, request.caller_arn) if request.caller_arn else _subject(source),
        keys=_keys(request),
        identity=(*identity, *policy_sources.inputs(call, "PolicyInputList", request.policy_input_list)),
        boundary=_boundary_inputs(call, request) or _boundary(call, source, excluded),
        resource_policy=_resource_policy(call, request),
        scps=_organization(call),
        trusts=_trusts(call, request),
        owner=_owner(request.resource_owner),
    )
    results, marker = _page(call, request, simulation, turn)
    return pb.SimulatePrincipalPolicyResponse(evaluation_results=results, is_truncated=marker is not None, marker=marker)


def _refuse_excess(request: Any, *levels: Iterable[str]) -> None:
    """Refuse what is too much before any of it is read; InvalidInput or LimitExceeded."""
    if len(request.resource_arns) > _MOST_RESOURCES:
        raise InvalidInput(f"A simulation takes at most {_MOST_RESOURCES} resources.")
    if len(request.action_names) > _MOST_ACTIONS:
        raise InvalidInput(f"A simulation takes at most {_MOST_ACTIONS} actions.")
    texts = (request.policy_input_list, request.permissions_boundary_policy_input_list, (request.resource_policy,))
    policy_sources.refuse_excess(*texts, *levels)


def _page(call: Call, request: Any, simulation: Simulation, turn: Turn) -> tuple[list[pb.EvaluationResult], str | None]:
    """Results of some actions; only those are decided. A page ends early where its work or its size would become too much."""
    actions, resources = _actions(request.action_names), _resources(request.resource_arns)
    if request.resource_handling_option:
        raise InvalidInput("ResourceHandlingOption is not supported: give the resources of the scenario, and each is decided by itself.")
    cursor = entities.cursor(call, request)
    start = cursor.open(request.marker)[0] if request.marker else 0
    end = start + min(request.max_items or PAGE, _MOST_DECISIONS // max(1, len(resources)))

    def compose(question: Callable[[Lookup, datetime], Question]) -> Question:
        turn.pause()
        remaining(call.deadline)
        return call.node.world.consistent(lambda reader: question(reader.get_record, call.now))[0]

    results: list[pb.EvaluationResult] = []
    size = 0
    for action in actions[start:end]:
        remaining(call.deadline)
        try:
            result = simulation.result(action, resources, compose)
        except TooMuchWork:
            break
        size += result.ByteSize()
        if size > MOST_BYTES:
            break
        results.append(result)
    if not results and actions[start:end]:
        raise LimitExceeded(f"The simulation of {actions[start]} is too large: give fewer resources or smaller policies in one call.")
    end = start + len(results)
    return results, cursor.marker([end]) if end < len(actions) else None


def _actions(names: Sequence[str]) -> list[str]:
    for name in names:
        service, _, action = name.partition(":")
        if not (service and action) or "*" in name or "?" in name:
            raise InvalidInput(f"Invalid input: {name} is not the name of an action.")
    return list(dict.fromkeys(names))


def _resources(named: Sequence[str]) -> tuple[str, ...]:
    """Each once; none for everything, which is what a lone star stands for."""
    for one in named:
        steps.step()
        if one != "*":
            try:
                arn.parse(one)
            except InvalidArn:
                raise InvalidInput(f"Invalid input: {one} is not an ARN.") from None
    return () if list(named) == ["*"] else tuple(dict.fromkeys(named))


def _keys(request: Any) -> Keys:
    """The keys that the request supposes; they override all others."""
    several = {entry.context_key_name for entry in request.context_entries if entry.context_key_type not in _SINGLE_TYPES}
    for entry in request.context_entries:
        if not entry.context_key_name or (entry.context_key_name not in several and len(entry.context_key_values) != 1):
            raise InvalidInput(f"The context key {entry.context_key_name} must have one value, or a list type.")
    if len(request.context_entries) != len({entry.context_key_name.lower() for entry in request.context_entries}):
        raise InvalidInput("A context key is given twice.")
    given = {entry.context_key_name: tuple(entry.context_key_values) for entry in request.context_entries}
    try:
        return policy.context(given, several)
    except ValidationError as error:
        raise InvalidInput(error.message) from None


def _user(call: Call, text: str) -> Subject | Acting:
    """The user of an ARN; one of the caller's account is who bears the name, with what its records say."""
    try:
        arn.parse(text)
    except InvalidArn as error:
        raise InvalidInput(error.message) from None
    named = arn.entity(text)
    if named is None or named.kind != "user" or not arn.is_account_id(named.account):
        raise InvalidInput(f"Invalid CallerArn: {text} is not the ARN of a user.")
    row = call.row(User, text)
    return Subject(row.id, call.account_id) if row is not None else _stranger(named.account, text, {"aws:username": named.name})


def _subject(source: Owner) -> Subject | Acting:
    """The policy source; a group stands for a user in it, of whom nothing else is known."""
    if isinstance(source, Group):
        return _stranger(source.account_id, entities.arn_of(source))
    return Subject(source.id, source.account_id)


def _stranger(account: str, named: str = "", keys: Keys = NO_KEYS) -> Acting:
    """A user of an account of whom there is no record."""
    return Acting(Subject("", account), policy.Principal("user", named, account), keys, identity=())


def _boundary(call: Call, source: Owner, excluded: Iterable[Any]) -> tuple[SourcePolicy, ...] | None:
    found = policy_sources.boundary(call, source)
    if found is None or any(test(one, _BOUNDARY) for one in found for test in excluded):
        return None
    return tuple(found)


def _boundary_inputs(call: Call, request: Any) -> tuple[SourcePolicy, ...] | None:
    given = request.permissions_boundary_policy_input_list
    return tuple(policy_sources.inputs(call, "PermissionsBoundaryPolicyInputList", given)) if given else None


def _resource_policy(call: Call, request: Any) -> SourcePolicy | None:
    if not request.resource_policy:
        return None
    (found,) = policy_sources.inputs(call, "ResourcePolicy", [request.resource_policy], validate.Kind.RESOURCE)
    return found


def _scps(call: Call, levels: Sequence[pb.OrderedOrganizationPolicyType]) -> tuple[tuple[SourcePolicy, ...], ...] | None:
    name = "OrderedOrganizationPolicyInputList.{}.ServiceControlPolicyInputList"
    found = [
        tuple(policy_sources.inputs(call, name.format(number), level.service_control_policy_input_list, validate.Kind.SCP))
        for number, level in enumerate(levels, 1)
    ]
    return tuple(found) or None


def _organization(call: Call) -> tuple[tuple[SourcePolicy, ...], ...] | None:
    """The SCPs on the caller's account, level by level; None where no organization restricts it. Their statements are not shown."""
    if call.caller.scps is None:
        return None
    return tuple(tuple(SourcePolicy(one, one.program.text, "input", one.name, one.arn) for one in level) for level in call.caller.scps)


def _trusts(call: Call, request: Any) -> dict[str, SourcePolicy]:
    """The trust policies of the roles of the account among the resources, as GetRole shows them."""
    if not any(layers.is_trust(action, _A_ROLE) for action in request.action_names):
        return {}
    found = {}
    for named in request.resource_arns:
        remaining(call.deadline)
        row = call.row(Role, named) if layers.is_trust("sts:AssumeRole", named) else None
        if row is not None:
            # A program of its own: what is decided is the stored text, what is shown is the text with names.
            attached = policy.Attached(policy.compile_policy(policy.parse(row.trust_policy)), name="AssumeRolePolicyDocument")
            found[named] = SourcePolicy(attached, trust.shown(call.session, row.trust_policy), "input", f"role_{row.name}_{attached.name}")
    return found


def _owner(text: str) -> str:
    """An account: twelve digits, or an ARN that names one."""
    account = text if arn.is_account_id(text) else arn.account_of(text)
    if text and not arn.is_account_id(account):
        raise InvalidInput(f"Invalid ResourceOwner: {text} names no account.")
    return account


def _excluded(identifier: pb.PolicyIdentifier) -> Any:
    """A test for the policies in a place that an identifier means: all that it says must hold; a boundary must be named as one."""
    inline = identifier.inline_policy_identifier if identifier.HasField("inline_policy_identifier") else None
    if not (identifier.policy_type or identifier.policy_arn or inline):
        raise InvalidInput("A policy to exclude is named by its type, its ARN or its name.")
    if identifier.policy_arn:
        try:
            arn.parse(identifier.policy_arn)
        except InvalidArn as error:
            raise InvalidInput(error.message) from None

    def means(one: SourcePolicy, place: str) -> bool:
        if identifier.policy_type != place and (identifier.policy_type or place == _BOUNDARY):
            return False
        if identifier.policy_arn and identifier.policy_arn != one.arn:
            return False
        named = (one.name.lower(), one.owner_kind, one.owner_name.lower())
        return inline is None or named == (inline.policy_name.lower(), inline.attachment_type, inline.attachment_name.lower())

    return means
