"""Services that have access to an organization. Any service can have it, not only AWS's."""

from sqlalchemy import exists, select

from sekisho.api.organizations.v1 import service_access_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import accounts, membership, pages
from sekisho.services.organizations.errors import ConstraintViolation, InvalidInput
from sekisho.store.tables import Administrator, OrganizationFeature, TrustedService
from sekisho.world import root_access


@operation
def enable_aws_service_access(call: Call, request: pb.EnableAWSServiceAccessRequest) -> pb.EnableAWSServiceAccessResponse:
    """A service that has access already keeps it."""
    organization = membership.find_managed(call)
    if organization.feature_set != "ALL":
        raise ConstraintViolation("ORGANIZATION_NOT_IN_ALL_FEATURES_MODE", "Your organization must have all features enabled.")
    if "." not in request.service_principal:
        raise InvalidInput("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal.")
    if call.session.get(TrustedService, (organization.id, request.service_principal)) is None:
        call.add(TrustedService(organization_id=organization.id, service_principal=request.service_principal, enabled_at=call.now))
    return pb.EnableAWSServiceAccessResponse()


@operation
def disable_aws_service_access(call: Call, request: pb.DisableAWSServiceAccessRequest) -> pb.DisableAWSServiceAccessResponse:
    """No account may administer the service any more; that a service has no access is no error. Without IAM there is no root access."""
    organization = membership.find_managed(call)
    wanted = Administrator.organization_id == organization.id, Administrator.service_principal == request.service_principal
    if call.session.scalar(select(exists(select(Administrator.account_id).where(*wanted)))):
        raise ConstraintViolation(
            "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE", "You must deregister all delegated administrators for the service first."
        )
    row = call.session.get(TrustedService, (organization.id, request.service_principal))
    if row is not None:
        call.session.delete(row)
    if request.service_principal == root_access.SERVICE:
        features = select(OrganizationFeature).where(OrganizationFeature.root_id == organization.root_id)
        for feature in call.session.scalars(features).all():
            call.session.delete(feature)
    return pb.DisableAWSServiceAccessResponse()


@operation
def list_aws_service_access_for_organization(
    call: Call, request: pb.ListAWSServiceAccessForOrganizationRequest
) -> pb.ListAWSServiceAccessForOrganizationResponse:
    """By name."""
    organization = membership.find_readable(call, request)
    query = select(TrustedService).where(TrustedService.organization_id == organization.id)
    found = pages.page(call, request, query, key=[TrustedService.service_principal], of=lambda row: [row.service_principal])
    shown = [
        pb.EnabledServicePrincipal(service_principal=row.service_principal, date_enabled=accounts.seconds(row.enabled_at))
        for row in found.rows
    ]
    return pb.ListAWSServiceAccessForOrganizationResponse(enabled_service_principals=shown, next_token=found.marker)
