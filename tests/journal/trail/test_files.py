"""Files as CloudTrail lays them out."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone

from sekisho.journal.trail import files

AT = datetime(2026, 5, 4, 23, 59, 58, 987654, UTC)


def test_a_file_is_where_cloudtrail_would_have_it() -> None:
    key = files.key("", None, "111122223333", "us-east-1", AT, "seed")
    assert key == (
        "AWSLogs/111122223333/CloudTrail/us-east-1/2026/05/04/111122223333_CloudTrail_us-east-1_20260504T2359Z_r0ENoaExH7wkw5bB.json.gz"
    )
    assert files.key("a/b", "o-abcdefghij", "111122223333", "us-east-1", AT, "seed") == (
        "a/b/AWSLogs/o-abcdefghij/111122223333/CloudTrail/us-east-1/2026/05/04/"
        "111122223333_CloudTrail_us-east-1_20260504T2359Z_r0ENoaExH7wkw5bB.json.gz"
    )


def test_a_day_is_one_of_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert files.key("", None, "1", "r", elsewhere, "seed") == files.key("", None, "1", "r", AT, "seed")


def test_files_of_a_minute_are_told_apart_by_their_seeds() -> None:
    keys = {files.key("", None, "1", "r", AT, str(seed)) for seed in range(1000)}
    assert len(keys) == 1000
    assert {len(key.rsplit("_", 1)[1].removesuffix(".json.gz")) for key in keys} == {16}


def test_a_digest_is_where_cloudtrail_would_have_it() -> None:
    assert files.digest_key("p", None, "111122223333", "us-east-1", "eu-west-1", "mine", AT) == (
        "p/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/05/04/"
        "111122223333_CloudTrail-Digest_us-east-1_mine_eu-west-1_20260504T235958Z.json.gz"
    )


def test_the_same_events_make_the_same_bytes() -> None:
    events = [{"eventID": "1", "userAgent": "関所"}, {"eventID": "2", "userAgent": "\ud800"}]
    content = files.plain(map(files.line, events))
    assert content == '{"Records":[{"eventID":"1","userAgent":"関所"},{"eventID":"2","userAgent":"\\ud800"}]}'.encode()
    assert json.loads(content) == {"Records": events}
    packed = files.compressed(content)
    assert packed[4:8] == bytes(4)
    assert gzip.decompress(packed) == content
    assert files.sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
