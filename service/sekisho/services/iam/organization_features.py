"""Central root access of an organization: which of its features are enabled. What is done by them, sts:AssumeRoot does.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-enable-root-access.html
"""

from typing import Any

from sqlalchemy import exists, select

from sekisho.api.iam.v1 import organization_features_pb2 as pb
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam.errors import (
    AccountNotManagementOrDelegatedAdministratorException,
    CallerIsNotManagementAccountException,
    OrganizationNotFoundException,
    OrganizationNotInAllFeaturesModeException,
    ServiceAccessNotEnabledException,
)
from sekisho.store.tables import Administrator, Organization, OrganizationFeature, TrustedService
from sekisho.world.root_access import CREDENTIALS, SERVICE, SESSIONS


@operation
def enable_organizations_root_credentials_management(
    call: Call, request: pb.EnableOrganizationsRootCredentialsManagementRequest
) -> pb.EnableOrganizationsRootCredentialsManagementResponse:
    """Once more is no error."""
    return pb.EnableOrganizationsRootCredentialsManagementResponse(**_enabled(call, CREDENTIALS))


@operation
def disable_organizations_root_credentials_management(
    call: Call, request: pb.DisableOrganizationsRootCredentialsManagementRequest
) -> pb.DisableOrganizationsRootCredentialsManagementResponse:
    """That it is not enabled is no error. Sessions that were issued by it end."""
    return pb.DisableOrganizationsRootCredentialsManagementResponse(**_disabled(call, CREDENTIALS))


@operation
def enable_organizations_root_sessions(
    call: Call, request: pb.EnableOrganizationsRootSessionsRequest
) -> pb.EnableOrganizationsRootSessionsResponse:
    """Once more is no error."""
    return pb.EnableOrganizationsRootSessionsResponse(**_enabled(call, SESSIONS))


@operation
def disable_organizations_root_sessions(
    call: Call, request: pb.DisableOrganizationsRootSessionsRequest
) -> pb.DisableOrganizationsRootSessionsResponse:
    """That it is not enabled is no error. Sessions that were issued by it end."""
    return pb.DisableOrganizationsRootSessionsResponse(**_disabled(call, SESSIONS))


@operation
def list_organizations_features(call: Call, request: pb.ListOrganizationsFeaturesRequest) -> pb.ListOrganizationsFeaturesResponse:
    """To the management account and to the account that administers IAM."""
    return pb.ListOrganizationsFeaturesResponse(**_shown(call, _find(call)))


def _find(call: Call, *, managed: bool = False) -> Organization:
    """The organization for those who have a part in its root access, with `managed` for its management account alone."""
    found = affiliation.get_alone(call)
    if found is None:
        raise OrganizationNotFoundException("Your account is not associated with an organization.")
    if call.account_id != found.management_account_id:
        wanted = Administrator.organization_id == found.id, Administrator.account_id == call.account_id
        delegated = exists(select(Administrator.account_id).where(*wanted, Administrator.service_principal == SERVICE))
        if not call.session.scalar(select(delegated)):
            raise AccountNotManagementOrDelegatedAdministratorException(
                "Your account is not the management account or the delegated administrator of the organization."
            )
        if managed:
            raise CallerIsNotManagementAccountException("Your account is not the management account of the organization.")
    if found.feature_set != "ALL":
        raise OrganizationNotInAllFeaturesModeException("Your organization does not have all features enabled.")
    if call.session.get(TrustedService, (found.id, SERVICE)) is None:
        raise ServiceAccessNotEnabledException("Trusted access is not enabled for IAM in Organizations.")
    return found


def _enabled(call: Call, feature: str) -> dict[str, Any]:
    found = _find(call, managed=True)
    if call.session.get(OrganizationFeature, (found.root_id, feature)) is None:
        call.add(OrganizationFeature(root_id=found.root_id, feature=feature, enabled_at=call.now))
    return _shown(call, found)


def _disabled(call: Call, feature: str) -> dict[str, Any]:
    found = _find(call)
    row = call.session.get(OrganizationFeature, (found.root_id, feature))
    if row is not None:
        call.session.delete(row)
        call.session.flush()
    return _shown(call, found)


def _shown(call: Call, found: Organization) -> dict[str, Any]:
    query = select(OrganizationFeature.feature).where(OrganizationFeature.root_id == found.root_id)
    return {"organization_id": found.id, "enabled_features": call.session.scalars(query.order_by(OrganizationFeature.feature)).all()}
