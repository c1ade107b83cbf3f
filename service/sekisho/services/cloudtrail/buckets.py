"""The buckets that trails deliver to: those that the operator of the server has for that (`sekisho serve --trail-bucket`)."""

from sekisho.calls.call import Call
from sekisho.services.cloudtrail.errors import S3BucketDoesNotExist


def refuse_unknown(call: Call, name: str) -> None:
    """S3BucketDoesNotExist for a bucket that the server cannot deliver to."""
    if call.node.buckets is not None and name not in call.node.buckets:
        raise S3BucketDoesNotExist(f"S3 bucket {name} does not exist!")
