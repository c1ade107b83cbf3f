"""A bucket of S3, or of whatever speaks its protocol, by botocore: the one module beside the AWS edge that knows it
(docs/decisions/0033-trails-are-put-with-botocore.md).

The server's own credentials are those that botocore finds: environment, profile, web identity, instance.
"""

import base64
import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from sekisho.journal.trail import object_keys
from sekisho.journal.trail.object_keys import NotDelivered

CONNECT, READ = 5, 20
"""Seconds that a bucket is waited for: for a connection, and for the next piece of an answer."""
ATTEMPTS = 3
"""Attempts of one put, with botocore's pauses between them. Whoever puts tries again later anyway."""


class S3Bucket:
    """A bucket and a prefix in it. Its client is made when it is first used: to read botocore's models takes a second."""

    def __init__(self, bucket: str, prefix: str, *, endpoint_url: str | None, region: str | None, profile: str | None) -> None:
        self.bucket, self.prefix = bucket, prefix
        self._where = {"endpoint_url": endpoint_url, "region_name": region or "us-east-1"}
        self._profile, self._path_style = profile, endpoint_url is not None
        self._client: Any = None
        self._making = threading.Lock()

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Have the bucket hold an object, with its metadata; NotDelivered when it has not said that it does."""
        from botocore.exceptions import BotoCoreError, ClientError

        object_keys.names(key)
        try:
            self._made().put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentMD5=base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
                ContentType="application/json",
                ContentEncoding="gzip",
                Metadata=dict(metadata or {}),
            )
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code") or "InternalError")
            raise NotDelivered(code[:64], f"the bucket has refused an object: {code[:64]}") from error
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
            name = type(error).__name__
            raise NotDelivered("RequestTimeout", f"the bucket has not answered: {name}") from error

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                from botocore.config import Config
                from botocore.session import Session

                config = Config(
                    connect_timeout=CONNECT,
                    read_timeout=READ,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    request_checksum_calculation="when_required",  # other servers than AWS's know no trailing checksums
                    response_checksum_validation="when_required",
                    s3={"addressing_style": "path" if self._path_style else "auto"},
                )
                self._client = Session(profile=self._profile).create_client("s3", config=config, **self._where)
            return self._client
