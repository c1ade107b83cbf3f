"""SetSecurityTokenServicePreferences: which form of tokens an account prefers, as its summary shows it.

Tokens have one form here, which is good everywhere, so nothing else follows.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetSecurityTokenServicePreferences.html
"""

from sekisho.api.iam.v1 import security_token_preferences_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.store.tables import AccountPreference

DEFAULT = 2
_VERSIONS = {"v1Token": 1, "v2Token": 2}


@operation
def set_security_token_service_preferences(
    call: Call, request: pb.SetSecurityTokenServicePreferencesRequest
) -> pb.SetSecurityTokenServicePreferencesResponse:
    """In place of what was preferred before."""
    version = _VERSIONS[request.global_endpoint_token_version]
    row = call.session.get(AccountPreference, call.account_id)
    if row is None:
        call.add(AccountPreference(account_id=call.account_id, global_endpoint_token_version=version))
    else:
        row.global_endpoint_token_version = version
    return pb.SetSecurityTokenServicePreferencesResponse()


def token_version(call: Call) -> int:
    """The version that the account prefers."""
    row = call.session.get(AccountPreference, call.account_id)
    return row.global_endpoint_token_version if row is not None else DEFAULT
