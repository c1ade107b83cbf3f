"""The regions of an account: those that every account has, and those that it has enabled. Nothing is done in any of them here.

Source: https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""

from collections.abc import Mapping

from sqlalchemy import select

from sekisho.api.account.v1 import regions_pb2 as pb
from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.errors import ValidationError
from sekisho.operations import operation
from sekisho.services.account import subjects
from sekisho.services.account.errors import Conflict
from sekisho.store import paging
from sekisho.store.tables import AccountRegion

DEFAULT = tuple(
    """
    ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-north-1 eu-west-1
    eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
    """.split()  # noqa: SIM905  # as a list it takes seventeen lines
)
"""The regions that every account uses, and none can disable."""

OPTIONAL = tuple(
    """
    af-south-1 ap-east-1 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-7 ca-west-1 eu-central-2 eu-south-1 eu-south-2
    il-central-1 me-central-1 me-south-1 mx-central-1
    """.split()  # noqa: SIM905  # as above
)
_PAGE = 50


@operation
def list_regions(call: Call, request: pb.ListRegionsRequest) -> pb.ListRegionsResponse:
    """By name; of those states alone that the request names."""
    wanted = frozenset(request.region_opt_status_contains)
    found = [
        (name, status) for name, status in sorted(_states(call, subjects.find(call, request).id).items()) if not wanted or status in wanted
    ]
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    try:
        after = cursor.open(request.next_token)[0] if request.next_token else ""
    except paging.InvalidMarker:
        raise ValidationError("The NextToken is not valid.") from None
    rest = [one for one in found if one[0] > after]
    page = rest[: request.max_results or _PAGE]
    token = cursor.marker([page[-1][0]]) if len(page) < len(rest) else None
    shown = [pb.Region(region_name=name, region_opt_status=status) for name, status in page]
    return pb.ListRegionsResponse(regions=shown, next_token=token)


@operation
def get_region_opt_status(call: Call, request: pb.GetRegionOptStatusRequest) -> pb.GetRegionOptStatusResponse:
    """Of one region."""
    states = _states(call, subjects.find(call, request).id)
    _refuse_unknown(request.region_name)
    return pb.GetRegionOptStatusResponse(region_name=request.region_name, region_opt_status=states[request.region_name])


@operation
def enable_region(call: Call, request: pb.EnableRegionRequest) -> pb.EnableRegionResponse:
    """At once; a region that is enabled stays so."""
    _set(call, subjects.find(call, request).id, request.region_name, enabled=True)
    return pb.EnableRegionResponse()


@operation
def disable_region(call: Call, request: pb.DisableRegionRequest) -> pb.DisableRegionResponse:
    """At once; one that every account uses cannot be disabled."""
    _set(call, subjects.find(call, request).id, request.region_name, enabled=False)
    return pb.DisableRegionResponse()


def _states(call: Call, account_id: str) -> Mapping[str, str]:
    enabled = set(call.session.scalars(select(AccountRegion.region).where(AccountRegion.account_id == account_id)))
    optional = {name: "ENABLED" if name in enabled else "DISABLED" for name in OPTIONAL}
    return {**dict.fromkeys(DEFAULT, "ENABLED_BY_DEFAULT"), **optional}


def _set(call: Call, account_id: str, region: str, *, enabled: bool) -> None:
    _refuse_unknown(region)
    if region in DEFAULT:
        raise Conflict(f"The region {region} is enabled by default, and stays so.")
    row = call.session.get(AccountRegion, (account_id, region))
    if enabled and row is None:
        call.add(AccountRegion(account_id=account_id, region=region, enabled_at=call.now))
    if not enabled and row is not None:
        call.session.delete(row)


def _refuse_unknown(region: str) -> None:
    if region not in DEFAULT and region not in OPTIONAL:
        raise ValidationError(f"The region {region} does not exist.")
