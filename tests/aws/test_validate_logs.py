"""`aws cloudtrail validate-logs`, unmodified, on what a trail has delivered to a bucket: whole, and after somebody was at it."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import buckets
from tests.aws import conftest
from tests.aws.cli import Aws
from tests.aws.forked import Done, Program
from tests.buckets import Buckets

LOGS = "trail-logs"


@dataclass(frozen=True, slots=True)
class Trailed:
    """A trail with a bucket of S3 that has files and digest files, and the command."""

    aws: Aws
    buckets: Buckets
    arn: str

    def validated(self) -> Done:
        """All that the command says of the trail."""
        begin = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        command = f"cloudtrail validate-logs --trail-arn {self.arn} --start-time {begin} --verbose"
        environment = self.aws.environment() | {"AWS_ENDPOINT_URL_S3": self.buckets.url}
        return self.aws.program.run(command.split(), environment, self.aws.folder)

    def keys(self, part: str) -> list[str]:
        """Keys of the bucket that have this part, in the order of their times."""
        return sorted(key for key in self.buckets.objects(LOGS) if part in key)

    def digests(self) -> list[tuple[str, dict[str, Any]]]:
        """The digest files, oldest first."""
        held = self.buckets.objects(LOGS)
        return [(key, json.loads(gzip.decompress(held[key]))) for key in sorted(held) if "/CloudTrail-Digest/" in key]


@pytest.fixture(scope="module")
def trailed(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trailed]:
    """Events of three periods and more, each with a digest file; logging has stopped, and all is delivered."""
    folder = tmp_path_factory.mktemp("trailed")
    with ExitStack() as stack:
        served = stack.enter_context(buckets.serving(LOGS))
        options = ("--trail-bucket", f"{LOGS}=s3://{LOGS}?endpoint_url={served.url}")
        often = ("--trail-delivery-seconds", "1", "--trail-digest-seconds", "2")
        url = f"sqlite:///{folder / 'sekisho.db'}"
        server = stack.enter_context(conftest.serving(folder, url, *options, *often, environment=buckets.KEYS))
        aws = Aws(replace(server, region="us-east-1"), program, folder)
        made = aws(f"cloudtrail create-trail --name mine --s3-bucket-name {LOGS} --s3-key-prefix some/where --enable-log-file-validation")
        found = Trailed(aws, served, made["TrailARN"])
        aws("cloudtrail start-logging --name mine")
        for number in range(3):
            before = len(named(found))
            aws(f"iam create-user --user-name u-{number}")
            until(lambda before=before: len(named(found)) > before, "no digest file names another file")
        until(lambda: len(found.digests()) > 4, "digest files are missing")
        aws("cloudtrail stop-logging --name mine")
        yield found


def named(trailed: Trailed) -> list[str]:
    """The keys of files that digest files name."""
    return [file["s3Object"] for _, digest in trailed.digests() for file in digest["logFiles"]]


def until(done: Any, what: str) -> None:
    limit = time.monotonic() + 120
    while not done():
        assert time.monotonic() < limit, what
        time.sleep(0.2)


@pytest.fixture
def kept(trailed: Trailed) -> Iterator[Trailed]:
    """The same, put back as it was."""
    client = trailed.buckets.client
    before = {key: (body, client.head_object(Bucket=LOGS, Key=key)["Metadata"]) for key, body in trailed.buckets.objects(LOGS).items()}
    yield trailed
    for key, (body, metadata) in before.items():
        client.put_object(Bucket=LOGS, Key=key, Body=body, Metadata=metadata)


def test_all_of_it_is_valid(trailed: Trailed) -> None:
    done = trailed.validated()
    assert (done.code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    digests = sum(line.endswith("\tvalid") for line in lines if line.startswith("Digest file"))
    logs = sum(line.endswith("\tvalid") for line in lines if line.startswith("Log file"))
    assert digests >= 5
    assert logs >= 3
    assert f"{digests}/{digests} digest files valid" in done.stdout
    assert f"{logs}/{logs} log files valid" in done.stdout
    assert [key for key in trailed.keys("AWSLogs") if "some/where/AWSLogs/" not in key] == []


def test_a_file_that_was_edited_is_found(kept: Trailed) -> None:
    key = named(kept)[1]
    events = json.loads(gzip.decompress(kept.buckets.objects(LOGS)[key]))
    events["Records"][0]["userAgent"] = "somebody else"
    kept.buckets.client.put_object(Bucket=LOGS, Key=key, Body=gzip.compress(json.dumps(events).encode()))
    done = kept.validated()
    assert done.code == 1
    assert done.stderr.strip() == f"Log file\ts3://{LOGS}/{key}\tINVALID: hash value doesn't match"


def test_a_file_that_was_removed_is_found(kept: Trailed) -> None:
    key = named(kept)[1]
    kept.buckets.client.delete_object(Bucket=LOGS, Key=key)
    done = kept.validated()
    assert done.code == 1
    assert done.stderr.strip() == f"Log file\ts3://{LOGS}/{key}\tINVALID: not found"


def test_a_digest_that_was_edited_is_found(kept: Trailed) -> None:
    key, digest = next((key, digest) for key, digest in kept.digests() if digest["logFiles"])
    digest["logFiles"].pop()
    metadata = kept.buckets.client.head_object(Bucket=LOGS, Key=key)["Metadata"]
    content = gzip.compress(json.dumps(digest, separators=(",", ":")).encode())
    kept.buckets.client.put_object(Bucket=LOGS, Key=key, Body=content, Metadata=metadata)
    done = kept.validated()
    assert done.code == 1
    assert done.stderr.strip() == f"Digest file\ts3://{LOGS}/{key}\tINVALID: signature verification failed"


def test_a_digest_that_was_removed_is_found(kept: Trailed) -> None:
    key, _ = kept.digests()[2]
    kept.buckets.client.delete_object(Bucket=LOGS, Key=key)
    done = kept.validated()
    assert done.code == 1
    assert done.stderr.strip() == f"Digest file\ts3://{LOGS}/{key}\tINVALID: not found"


def test_a_digest_that_was_moved_is_found(kept: Trailed) -> None:
    """One in the place of another, with its own signature."""
    (key, _), (other, _) = kept.digests()[1:3]
    client = kept.buckets.client
    client.copy_object(Bucket=LOGS, Key=key, CopySource={"Bucket": LOGS, "Key": other})
    done = kept.validated()
    assert done.code == 1
    assert f"Digest file\ts3://{LOGS}/{key}\tINVALID: has been moved from its original location" in done.stderr
