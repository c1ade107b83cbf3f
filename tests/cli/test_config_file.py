"""`--config`: a YAML file of options, over which flags and environment win; what is wrong in it is named with file and line."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sekisho.node import run
from sekisho.node.options import Options
from tests.cli.command import one_line, sekisho


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options of servers that were to start; none does."""
    found: list[Options] = []

    def serve(options: Options, *_: Any, **__: Any) -> int:
        found.append(options)
        return 0

    monkeypatch.setattr(run, "serve", serve)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sekisho.yaml"


def test_every_kind_of_option_comes_from_the_file(told: list[Options], file: Path) -> None:
    file.write_text(
        "# ours\ngrpc: 0.0.0.0:1\nhttp: '[::]:2'\nworkers: 3\ndata-dir: there\npin: false\ninsecure: true\nclock-skew: 7\n"
        "tls-cert: a.pem\naccount-id: '011122223333'\nlog-format: text\nlog-level: error\n"
        "trail-bucket: ['logs=file:///var/trail', 'far=s3://there']\ntrail-delivery-seconds: 60\n"
    )
    assert sekisho("serve", "--config", file).returncode == 0
    (options,) = told
    expected = Options(
        data_dir=Path("there"), grpc="0.0.0.0:1", http="[::]:2", workers=3, pin=False, insecure=True, clock_skew=7,
        tls_cert=Path("a.pem"), account_id="011122223333", log_format="text", log_level="error",
        trail_buckets=("logs=file:///var/trail", "far=s3://there"), trail_delivery=60,
    )  # fmt: skip
    assert {field.name: getattr(options, field.name) for field in fields(Options)} == {
        field.name: getattr(expected, field.name) for field in fields(Options)
    }


def test_flags_and_environment_win(told: list[Options], file: Path) -> None:
    file.write_text("grpc: 0.0.0.0:1\nhttp: 0.0.0.0:2\nworkers: 3\npin: false\n")
    done = sekisho("serve", "--http", "127.0.0.1:5", "--pin", env={"SEKISHO_GRPC": "127.0.0.1:4", "SEKISHO_CONFIG": str(file)})
    assert done.returncode == 0
    (options,) = told
    assert (options.grpc, options.http, options.workers, options.pin) == ("127.0.0.1:4", "127.0.0.1:5", 3, True)


def test_an_empty_file_says_nothing(told: list[Options], file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert sekisho("serve", "--config", file, "--data-dir", "x").returncode == 0
    assert told == [Options(data_dir=Path("x"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http: a:1\ngrcp: a:1\n", "2:1: `serve` has no option `grcp`"),
        ("tls_cert: a\n", "1:1: `serve` has no option `tls_cert`"),
        ("config: other.yaml\n", "1:1: `serve` has no option `config`"),
        ("1: a\n", "1:1: `serve` has no option `1`"),
        ("workers: many\n", "1:10: `workers` is a whole number"),
        ("workers: true\n", "1:10: `workers` is a whole number"),
        ("insecure: 'yes'\n", "1:11: `insecure` is true or false"),
        ("account-id: 011111111111\n", "1:13: `account-id` is text; quote it"),
        ("grpc:\n  host: a\n", "2:3: `grpc` is text; quote it"),
        ("grpc:\n", "1:6: `grpc` is text; quote it"),
        ("trail-bucket: logs=file:///x\n", "1:15: `trail-bucket` is a list of texts"),
        ("- grpc\n", "1:1: options are lines of `name: value`"),
        ("grpc: [\n", "2:1: expected the node content, but found '<stream end>'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(told: list[Options], file: Path, text: str, said: str) -> None:
    file.write_text(text)
    assert one_line(sekisho("serve", "--config", file)) == f"{file}:{said}"
    assert told == []


@pytest.mark.parametrize(
    ("text", "place"), [("workers: 0\n", "1:10: `workers`: "), ("grpc: a:1\nclock-skew: 90\n", "2:13: `clock-skew`: ")]
)
def test_a_value_out_of_its_range_is_named_with_its_line(told: list[Options], file: Path, text: str, place: str) -> None:
    file.write_text(text)
    said = one_line(sekisho("serve", "--config", file))
    assert said.startswith(f"{file}:{place}")
    assert len(said) > len(f"{file}:{place}")  # the rest is the library's own sentence
    assert told == []


def test_a_file_that_is_missing_is_named(told: list[Options], file: Path) -> None:
    assert one_line(sekisho("serve", "--config", file)) == f"{file}: No such file or directory"
    assert told == []
