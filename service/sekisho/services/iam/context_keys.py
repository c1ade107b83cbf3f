"""The condition keys that policies ask for, in conditions and in variables."""

from collections.abc import Iterable, Iterator

from sekisho.api.iam.v1 import context_keys_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import keys
from sekisho.policy.rules import Rule
from sekisho.services.iam import policy_sources
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.store.db import remaining


@operation
def get_context_keys_for_custom_policy(
    call: Call, request: pb.GetContextKeysForCustomPolicyRequest
) -> pb.GetContextKeysForCustomPolicyResponse:
    """Each once, in the order of the texts."""
    policy_sources.refuse_excess(request.policy_input_list)
    found = policy_sources.inputs(call, "PolicyInputList", request.policy_input_list)
    return pb.GetContextKeysForCustomPolicyResponse(context_key_names=_names(call, found))


@operation
def get_context_keys_for_principal_policy(
    call: Call, request: pb.GetContextKeysForPrincipalPolicyRequest
) -> pb.GetContextKeysForPrincipalPolicyResponse:
    """Of all policies of the user, group or role, its boundary among them, and of those in the request."""
    policy_sources.refuse_excess(request.policy_input_list)
    owner = policy_sources.find_owner(call, request.policy_source_arn)
    found = [*policy_sources.identity(call, owner), *(policy_sources.boundary(call, owner) or ())]
    found += policy_sources.inputs(call, "PolicyInputList", request.policy_input_list)
    return pb.GetContextKeysForPrincipalPolicyResponse(context_key_names=_names(call, found))


def of_rule(rule: Rule) -> Iterator[str]:
    """The keys of one statement, in lower case with their documented spelling beside."""
    for condition in rule.statement.conditions:
        yield keys.canonical(condition.key)
    for variable in rule.referred:
        yield keys.canonical(variable.key)


def _names(call: Call, policies: Iterable[SourcePolicy]) -> list[str]:
    found: dict[str, str] = {}
    for one in policies:
        remaining(call.deadline)
        for rule in one.attached.program.rules:
            for name in of_rule(rule):
                found.setdefault(name.lower(), name)
    return list(found.values())
