"""moto's server as a bucket of S3, in this process."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "of-the-bucket", "AWS_SECRET_ACCESS_KEY": "of-the-bucket"}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where the server listens, and a client of it."""

    url: str
    client: Any

    def objects(self, bucket: str) -> Mapping[str, bytes]:
        """All that a bucket holds."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@contextmanager
def serving(*names: str) -> Iterator[Buckets]:
    """A server with these buckets; the process has keys for it in its environment meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        with patch.dict(os.environ, {**kept, **KEYS}, clear=True):
            host, port = server.get_host_and_port()
            client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
            for name in names:
                client.create_bucket(Bucket=name)
            yield Buckets(f"http://{host}:{port}", client)
    finally:
        server.stop()
