"""The limits of a session from its birth: an inline policy, managed policies, tags; and how long it lasts."""

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import Unimplemented, ValidationError
from sekisho.policy import validate
from sekisho.services.sts.errors import InvalidParameterValue
from sekisho.services.sts.requests import Limiting, Sizing, Tagging
from sekisho.world import PolicyRecord


def policies(call: Call, request: Limiting, account: str) -> tuple[str, tuple[str, ...]]:
    """The inline session policy, checked, and the unique ids of the managed ones, which belong to the session's account or to AWS."""
    if request.policy:
        validate.check(request.policy, validate.Kind.SESSION)
    ids = []
    for descriptor in request.policy_arns:
        arn.parse(descriptor.arn)  # what is no ARN at all is refused as that
        named = arn.entity(descriptor.arn)
        id_ = call.node.world.get_id(named) if named is not None and named.account in (account, "aws") else None
        record = call.node.world.get_record(id_) if id_ is not None else None
        if not isinstance(record, PolicyRecord):
            raise ValidationError(f"The policy {descriptor.arn} does not exist in the account {account}.")
        ids.append(record.id)
    return request.policy, tuple(dict.fromkeys(ids))


def tags(request: Tagging) -> dict[str, str]:
    """The tags that a request gives to the session; a key stands there once, whatever its case."""
    given = {tag.key: tag.value for tag in request.tags}
    if len({key.lower() for key in given}) != len(request.tags):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key in given):
        raise InvalidParameterValue("Tag keys beginning with aws: are reserved for system use.")
    return given


def refuse_token_size(request: Sizing) -> None:
    """A size that nothing would keep is not taken."""
    if request.minimum_session_token_size:
        raise Unimplemented("MinimumSessionTokenSize is not supported.")
