"""The ground of the comparison under load: a peer that is asked the right thing, answers that are looked at, the absent named."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import struct_pb2

from bench import bars, h2load, measure, peers, summary
from bench.h2load import NoLoad, Profile, Target
from bench.peers import cerbos
from bench.summary import Row, Summary

TEXT = """
finished in 1.25s, 1600.00 req/s, 150.01KB/s
requests: 2000 total, 2000 started, 2000 done, 1999 succeeded, 1 failed, 0 errored, 0 timeout
traffic: 183.11KB (187507) total, 9.80KB (10033) headers (space savings 95.00%), 152.34KB (156000) data
"""
STILL = "import sys; sys.stdout.write('ready'); sys.stdout.flush(); sys.stdin.read()"


def test_what_h2load_says_is_read() -> None:
    assert h2load._read(TEXT) == (1999, 1600.0, 1.25, 156000)
    assert h2load._read(TEXT.replace("1.25s", "250.00ms"))[2] == 0.25
    with pytest.raises(NoLoad):
        h2load._read("nothing")


def test_h2load_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert h2load.missing() == "h2load is not installed: it is in Debian's nghttp2-client"


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed: it is in Debian's nghttp2-client")
def test_an_answer_that_is_not_the_right_one_is_no_figure() -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(lambda body, _: body)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    target = Target(os.getpid(), port, "/s/Echo", b"twelve bytes", {"authorization": "Bearer x"}, 17)
    try:
        run = h2load.run(target, Profile("few", 2, 2), 40, core=None)
        assert run.rate > 0
        assert run.p99 >= run.p50 > 0
        refused = Target(os.getpid(), port, "/s/Other", b"twelve bytes", {}, 17)
        with pytest.raises(NoLoad, match="with 0 bytes each where 17 are right"):
            h2load.run(refused, Profile("few", 2, 2), 40, core=None)
    finally:
        server.stop(0).wait()


def test_the_time_of_a_process_and_of_what_it_started() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STILL!r}], check=False)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        pids = list(measure.tree(process.pid))
        assert len(pids) == 2
        assert measure.tree_cpu_seconds(process.pid) > measure.tree_cpu_seconds(pids[1]) > 0
        process.communicate()


def test_a_question_to_cerbos_has_its_attributes() -> None:
    request = dict(cerbos._fields(cerbos.question(1, action="s3:GetObject", team="finance")))
    principal = request[3]
    assert isinstance(principal, bytes)
    found = {}
    for number, value in cerbos._fields(principal):
        if number == 4 and isinstance(value, bytes):
            entry = dict(cerbos._fields(value))
            name, attribute = entry[1], entry[2]
            assert isinstance(name, bytes)
            assert isinstance(attribute, bytes)
            found[name.decode()] = struct_pb2.Value.FromString(attribute).string_value
    assert found == {"team": "finance", "sourceIp": "10.1.2.3", "mfa": "true", "secure": "true"}


def test_the_effects_of_an_answer() -> None:
    allow = cerbos._message(2, cerbos._message(2, cerbos._text(1, "s3:GetObject") + b"\x10\x01"))
    deny = cerbos._message(2, cerbos._message(2, cerbos._text(1, "s3:GetObject") + b"\x10\x02"))
    assert cerbos.effects(cerbos._text(1, "bench") + allow + deny) == [1, 2]


def test_cerbos_that_is_not_installed_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cerbos, "PROGRAM", tmp_path / "nowhere")
    with pytest.raises(peers.Absent, match="nowhere is not there"), cerbos.running(tmp_path, (1, 2), lambda: None):
        pass


def test_the_table_has_the_figures_and_names_the_absent() -> None:
    rows = [Row("100 in flight", "µs", 76.0, "cerbos", 152.0, 2.0), Row("throughput", "calls/s", 9000.4, "cerbos", 6500.0, 1.3846)]
    assert summary.lines([("authorize", Summary(rows)), ("gateway", Summary(absent={"moto": "it is not installed"}))])[2:] == [
        "| authorize | 100 in flight | 76 µs | cerbos | 152 µs | 2.00 × |",
        "| authorize | throughput | 9,000 calls/s | cerbos | 6,500 calls/s | 1.38 × |",
        "| gateway | – | – | moto | NOT MEASURED: it is not installed | – |",
    ]


def test_bars_are_drawn_in_proportion(tmp_path: Path) -> None:
    panel = bars.Panel("µs & more", {"sekisho": 50.0, "cerbos": 100.0})
    summary.chart("any", bars.drawn([panel]), tmp_path / "folder" / "bars.svg")
    root = ET.fromstring((tmp_path / "folder" / "bars.svg").read_text())  # noqa: S314  # of our own
    drawn = [float(one.attrib["width"]) for one in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert drawn[1] == 2 * drawn[0] > 0
    assert next(one.text for one in root.iter("{http://www.w3.org/2000/svg}text")) == "µs & more"
