"""The error codes of CloudTrail. Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/ (Errors of each action)."""

from sekisho.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted, Unimplemented
from sekisho.operations import tag_violations


class TrailNotFound(NotFound):
    """No trail that the caller's account sees has the name or ARN."""


class TrailAlreadyExists(AlreadyExists):
    """A trail of the account has the name."""


class MaximumNumberOfTrailsExceeded(ResourceExhausted):
    """The account has as many trails as it may have."""


class InvalidTrailName(InvalidArgument):
    """No trail can have the name."""


class CloudTrailARNInvalid(InvalidArgument):
    """A text is not the ARN of a trail."""


class S3BucketDoesNotExist(NotFound):
    """The operator of this server has no such bucket for trails."""


class InvalidS3BucketName(InvalidArgument):
    """No bucket can have the name."""


class InvalidS3Prefix(InvalidArgument):
    """A prefix of keys is too long, or not one."""


class InvalidSnsTopicName(InvalidArgument):
    """No topic can have the name."""


class InvalidKmsKeyId(InvalidArgument):
    """A text is not the id, alias or ARN of a key."""


class InvalidCloudWatchLogsLogGroupArn(InvalidArgument):
    """A text is not the ARN of a log group, or the role beside it is missing."""


class InvalidCloudWatchLogsRoleArn(InvalidArgument):
    """A text is not the ARN of a role, or the log group beside it is missing."""


class InvalidParameterCombination(InvalidArgument):
    """Members of the request contradict each other."""


class InvalidParameter(InvalidArgument):
    """A member of the request has a value that it cannot have."""


class InvalidEventSelectors(InvalidArgument):
    """Event selectors are not what they can be."""


class InvalidInsightSelectors(InvalidArgument):
    """Insight selectors are not what they can be."""


class InsightNotEnabled(FailedPrecondition):
    """A trail or an event data store tells no unusual activity."""


class InvalidTagParameter(InvalidArgument):
    """A tag's key stands twice, or is reserved."""


class TagsLimitExceeded(ResourceExhausted):
    """A resource would have more tags than it may have."""


class ResourceNotFound(NotFound):
    """No resource that the caller's account sees has the ARN."""


class ResourceTypeNotSupported(InvalidArgument):
    """The ARN names something that has no tags here."""


class InvalidToken(InvalidArgument):
    """A token that the list did not give, or gave for another request."""


class InvalidNextToken(InvalidArgument):
    """A token that the list did not give, or gave for another request."""


class InvalidTimeRange(InvalidArgument):
    """The end lies before the beginning."""


class InvalidLookupAttributes(InvalidArgument):
    """Events are looked up by one attribute."""


class UnsupportedOperation(Unimplemented):
    """This server does not do what is asked."""


class OrganizationsNotInUse(FailedPrecondition):
    """The caller's account is in no organization."""


class OrganizationNotInAllFeaturesMode(FailedPrecondition):
    """The organization has not all features."""


class CloudTrailAccessNotEnabled(FailedPrecondition):
    """The organization does not trust CloudTrail."""


class NotOrganizationMasterAccount(PermissionDenied):
    """Only the management account, or one to which it delegated that, may do what is asked."""


class NotOrganizationManagementAccount(PermissionDenied):
    """Only the management account may do what is asked."""


class CannotDelegateManagementAccount(FailedPrecondition):
    """The management account administers the trails already."""


class AccountNotFound(NotFound):
    """No account of the organization has the id."""


class AccountRegistered(AlreadyExists):
    """The account administers trails already."""


class AccountNotRegistered(FailedPrecondition):
    """The account does not administer trails."""


class DelegatedAdminAccountLimitExceeded(ResourceExhausted):
    """As many accounts administer trails as may."""


class EventDataStoreARNInvalid(InvalidArgument):
    """A text is not the ARN of an event data store."""


class EventDataStoreNotFound(NotFound):
    """No event data store that the caller's account sees has the ARN."""


class EventDataStoreAlreadyExists(AlreadyExists):
    """An event data store of the account has the name."""


class EventDataStoreMaxLimitExceeded(ResourceExhausted):
    """The account has as many event data stores as it may have."""


class EventDataStoreTerminationProtected(FailedPrecondition):
    """The event data store is protected from its end."""


class InvalidEventDataStoreStatus(FailedPrecondition):
    """The status of the event data store does not allow what is asked."""


class InactiveEventDataStore(FailedPrecondition):
    """The event data store waits for its end."""


class MaxConcurrentQueries(ResourceExhausted):
    """As many queries of the account wait or are under way as may."""


class QueryIdNotFound(NotFound):
    """The caller's account asked no such query in the last seven days."""


class InactiveQuery(FailedPrecondition):
    """The query is over."""


class InvalidDateRange(InvalidArgument):
    """The end lies before the beginning."""


tag_violations("cloudtrail")(InvalidTagParameter)
