"""The buckets that trails deliver to: those that the operator of the server has for that."""

from sekisho.calls.call import Call


def refuse_unknown(call: Call, name: str) -> None:
    """S3BucketDoesNotExist for a bucket that the server cannot deliver to. Every name is admitted."""
