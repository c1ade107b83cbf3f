"""Buckets as an operator names them, and what they do with keys and with what goes wrong."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from sekisho.errors import InvalidArgument
from sekisho.journal.trail import destinations, s3
from sekisho.journal.trail.folders import Folder
from sekisho.journal.trail.object_keys import InvalidKey, NotDelivered
from sekisho.journal.trail.s3 import S3Bucket
from tests import buckets


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = tmp_path / "bucket"
    made.mkdir()
    return Folder("logs", made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Logs=file:///x", "--trail-bucket: `Logs` is not the name of a bucket: 3 to 63 of a-z, 0-9, `.` and `-`"),
        ("a..b=file:///x", "--trail-bucket: `a..b` is not the name of a bucket: 3 to 63 of a-z, 0-9, `.` and `-`"),
        ("../x=file:///x", "--trail-bucket: `../x` is not the name of a bucket: 3 to 63 of a-z, 0-9, `.` and `-`"),
        ("logs", "--trail-bucket: `logs` is neither file:///absolute/folder nor s3://bucket/prefix"),
        ("logs=http://x", "--trail-bucket: `logs` is neither file:///absolute/folder nor s3://bucket/prefix"),
        ("logs=file://host/x", "--trail-bucket: the folder of `logs` is not an absolute path: file:///var/lib/trail"),
        ("logs=file:x", "--trail-bucket: the folder of `logs` is not an absolute path: file:///var/lib/trail"),
        ("logs=file:///x/../y", "--trail-bucket: the folder of `logs` is not an absolute path: file:///var/lib/trail"),
        ("logs=file:///x%00", "--trail-bucket: the folder of `logs` is not an absolute path: file:///var/lib/trail"),
        ("logs=s3:///p", "--trail-bucket: `logs` does not name a bucket of S3: s3://bucket/prefix"),
        ("logs=s3://bucket/../p", "--trail-bucket: the prefix of `logs` is not one: a key has a part that names no file: `'..'`"),
        ("logs=s3://bucket?acl=x", "--trail-bucket: `acl` of `logs` is not one of endpoint_url, profile, region"),
        ("logs=s3://bucket?endpoint_url=x", "--trail-bucket: the endpoint_url of `logs` is not http(s)://HOST:PORT"),
    ],
)
def test_what_names_no_bucket_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        destinations.parsed([text])
    assert refused.value.message == message


def test_a_name_is_said_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        destinations.parsed(["logs=file:///a", "logs=file:///b"])
    assert refused.value.message == "--trail-bucket: `logs` is said twice"


def test_names_lead_to_folders_and_buckets() -> None:
    found = destinations.parsed(["logs=file:///var/lib/trail%20s", "far=s3://there/a/b?endpoint_url=http://127.0.0.1:9&region=eu-west-1"])
    near, far = found["logs"], found["far"]
    assert isinstance(near, Folder)
    assert (near.bucket, near.prefix, near.path) == ("logs", "", Path("/var/lib/trail s"))
    assert (far.bucket, far.prefix) == ("there", "a/b")


LEADING_ELSEWHERE = (
    *("", "/", "/a", "a/", "a//b", "../a", "a/../../b", "a/./b", "..", ".parts/x"),
    *("a\0b", "a\nb", "a\\b", "\ud800", "x" * 251, "a/" * 512 + "b"),
)


@pytest.mark.parametrize("key", LEADING_ELSEWHERE)
def test_a_key_that_leads_anywhere_else_is_refused(folder: Folder, key: str) -> None:
    bucket = S3Bucket("logs", "", endpoint_url="http://127.0.0.1:9", region=None, profile=None)
    for destination in (folder, bucket):
        with pytest.raises(InvalidKey):
            destination.put(key, b"x")
    assert files(folder.path.parent) == {}


def test_a_folder_holds_what_it_was_given(folder: Folder) -> None:
    folder.put("AWSLogs/1/a.json.gz", b"one")
    folder.put("AWSLogs/1/a.json.gz", b"another")
    folder.put("AWSLogs/2/b.json.gz", b"two", {"signature": "ab", "signature-algorithm": "SHA256withRSA"})
    assert files(folder.path) == {
        "AWSLogs/1/a.json.gz": b"another",
        "AWSLogs/2/b.json.gz": b"two",
        "AWSLogs/2/b.json.gz.sig": b'{"signature": "ab", "signature-algorithm": "SHA256withRSA"}\n',
    }
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.path.rglob("*")}
    folders = dict.fromkeys((".parts", "AWSLogs", "1", "2"), 0o700)
    assert modes == folders | dict.fromkeys(("a.json.gz", "b.json.gz", "b.json.gz.sig"), 0o600)


def test_a_link_in_a_folder_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder.path / "AWSLogs").symlink_to(outside)
    with pytest.raises(NotDelivered) as failed:
        folder.put("AWSLogs/a", b"x")
    assert failed.value.code == "InvalidObjectState"
    (outside / "target").write_bytes(b"kept")
    (folder.path / "b").symlink_to(outside / "target")
    folder.put("b", b"x")
    assert files(outside) == {"target": b"kept"}
    assert (folder.path / "b").read_bytes() == b"x"


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotDelivered) as failed:
        Folder("logs", tmp_path / "unmounted").put("a", b"x")
    assert failed.value.code == "NoSuchBucket"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_an_object_stays(folder: Folder) -> None:
    (folder.path / "a" / "b").mkdir(parents=True)
    with pytest.raises(NotDelivered) as failed:
        folder.put("a", b"x")
    assert failed.value.code == "InvalidObjectState"
    assert (folder.path / "a" / "b").is_dir()


def test_a_full_disk_leaves_what_was_there(folder: Folder) -> None:
    folder.put("a", b"before")
    written: list[int] = []

    def write(descriptor: int, content: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(os.pwrite(descriptor, content[:2], 0))
        return 2

    with patch("os.write", write), pytest.raises(NotDelivered) as failed:
        folder.put("a", b"afterwards")
    assert failed.value.code == "QuotaExceeded"
    assert files(folder.path) == {"a": b"before"}


def test_the_disk_has_an_object_before_it_has_its_name(folder: Folder) -> None:
    done = []

    def synced(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(str(folder.path)))

    with (
        patch("os.fsync", synced),
        patch("os.rename", lambda *_, **__: done.append("rename")),
    ):
        folder.put("a/b", b"x")
    written = next(name for name in done if name.startswith("/.parts/"))
    assert done == ["", "", written, "rename", "/a"]


def test_what_was_left_by_who_was_killed_is_removed(folder: Folder) -> None:
    parts = folder.path / ".parts"
    parts.mkdir()
    (parts / "old").write_bytes(b"x")
    (parts / "new").write_bytes(b"x")
    os.utime(parts / "old", (1, 1))
    folder.put("a", b"x")
    assert files(folder.path) == {"a": b"x", ".parts/new": b"x"}


def test_a_bucket_holds_what_it_was_given() -> None:
    with buckets.serving("there") as served:
        (found,) = destinations.parsed([f"logs=s3://there/p?endpoint_url={served.url}"]).values()
        found.put("p/AWSLogs/a.json.gz", b"one")
        found.put("p/AWSLogs/a.json.gz", b"another", {"signature": "ab"})
        assert served.objects("there") == {"p/AWSLogs/a.json.gz": b"another"}
        head = served.client.head_object(Bucket="there", Key="p/AWSLogs/a.json.gz")
    assert (head["Metadata"], head["ContentType"], head["ContentEncoding"]) == ({"signature": "ab"}, "application/json", "gzip")


def test_a_bucket_that_refuses_is_named_by_its_code() -> None:
    with buckets.serving() as served:
        (found,) = destinations.parsed([f"logs=s3://nowhere?endpoint_url={served.url}"]).values()
        with pytest.raises(NotDelivered) as failed:
            found.put("a", b"x")
    assert (failed.value.code, failed.value.message) == ("NoSuchBucket", "the bucket has refused an object: NoSuchBucket")


@contextmanager
def silent() -> Iterator[str]:
    """An endpoint that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_bucket_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in buckets.KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "READ", 0.2)
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    with silent() as url:
        bucket = S3Bucket("logs", "", endpoint_url=url, region=None, profile=None)
        with pytest.raises(NotDelivered) as failed:
            bucket.put("a", b"x")
    assert (failed.value.code, failed.value.message) == ("RequestTimeout", "the bucket has not answered: ReadTimeoutError")


def test_a_bucket_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = S3Bucket("logs", "", endpoint_url="http://127.0.0.1:9", region=None, profile=None)
    with pytest.raises(NotDelivered) as failed:
        bucket.put("a", b"x")
    assert failed.value.message == "the bucket has not answered: NoCredentialsError"


def test_objects_are_whole_whoever_reads_meanwhile(folder: Folder) -> None:
    bodies = [bytes([digit]) * 200_000 for digit in b"abc"]
    folder.put("a", bodies[0])

    def write() -> None:
        for body in bodies * 5:
            folder.put("a", body)

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add((folder.path / "a").read_bytes())
    writer.join()
    assert seen <= set(bodies)
    assert list((folder.path / ".parts").iterdir()) == []
