"""Where a trail delivers to, and whom it tells: what names, prefixes and ARNs may be.

Nothing is delivered to topics, log groups or with keys of KMS here; what a trail says of them is kept and shown.
"""

import re
from collections.abc import Mapping
from typing import Any

from sekisho.errors import InvalidArgument
from sekisho.services.cloudtrail import errors

LONGEST_PREFIX = 200
LONGEST_TOPIC = 256
"""Characters."""

_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_TOPIC = re.compile(r"(?:arn:aws:sns:[a-z0-9-]+:[0-9]{12}:)?[A-Za-z0-9_-]{1,256}")
_KEY = re.compile(
    r"(?:arn:aws:kms:[a-z0-9-]+:[0-9]{12}:)?(?:key/[A-Za-z0-9-]{1,256}|alias/[A-Za-z0-9/_-]{1,250})|[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}|mrk-[a-f0-9]{32}"
)
_LOG_GROUP = re.compile(r"arn:aws:logs:[a-z0-9-]+:[0-9]{12}:log-group:[A-Za-z0-9_/.#-]{1,512}:\*")
_ROLE = re.compile(r"arn:aws:iam::[0-9]{12}:role/[\x21-\x7e]{1,576}")
_PREFIX = re.compile(r"[\x20-\x7e]*")


def refuse_wrong(request: Any) -> None:
    """Raise what is wrong with the destinations that a request gives; what is absent or empty is not wrong."""
    for member, expression, error, sentence in _RULES:
        value = getattr(request, member)
        if value and (expression.fullmatch(value) is None or len(value) > _LONGEST.get(member, len(value))):
            raise error(sentence.format(value[:256]))


def refuse_half(group: str | None, role: str | None) -> None:
    """Raise unless a log group and the role that writes to it are both given, or neither."""
    if role and not group:
        raise errors.InvalidCloudWatchLogsLogGroupArn("You must specify a log group ARN together with a role ARN.")
    if group and not role:
        raise errors.InvalidCloudWatchLogsRoleArn("You must specify a role ARN together with a log group ARN.")


_LONGEST: Mapping[str, int] = {"s3_key_prefix": LONGEST_PREFIX}
_RULES: tuple[tuple[str, re.Pattern[str], type[InvalidArgument], str], ...] = (
    ("s3_bucket_name", _BUCKET, errors.InvalidS3BucketName, "Bucket name {} is not valid."),
    ("s3_key_prefix", _PREFIX, errors.InvalidS3Prefix, "S3 prefix is longer than maximum length or has invalid characters: {}"),
    ("sns_topic_name", _TOPIC, errors.InvalidSnsTopicName, "SNS topic name {} is not valid."),
    ("kms_key_id", _KEY, errors.InvalidKmsKeyId, "KMS key ID {} is not valid."),
    ("cloud_watch_logs_log_group_arn", _LOG_GROUP, errors.InvalidCloudWatchLogsLogGroupArn, "Log group ARN {} is not valid."),
    ("cloud_watch_logs_role_arn", _ROLE, errors.InvalidCloudWatchLogsRoleArn, "Role ARN {} is not valid."),
)
