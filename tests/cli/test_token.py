"""`sekisho token` and `sekisho health`: what tools beside us use."""

import http.server
import json
import threading
from pathlib import Path

import grpc
import pytest

from sekisho.api.sts.v1 import identities_pb2
from tests.cli.command import one_line, sekisho
from tests.cli.conftest import Shop

WHO = "/sekisho.api.sts.v1.StsService/GetCallerIdentity"


def test_a_token_is_the_callers_identity(shop: Shop) -> None:
    token = sekisho("token", "--data-dir", shop.data_dir).stdout
    assert token.endswith("\n")
    assert token.count("\n") == 1
    with grpc.insecure_channel(shop.grpc) as channel:
        answer = channel.unary_unary(WHO, None, None)(b"", metadata=(("authorization", f"Bearer {token.strip()}"),), timeout=20.0)
    assert identities_pb2.GetCallerIdentityResponse.FromString(answer).arn == f"arn:aws:iam::{shop.account}:root"


def test_a_token_for_another_audience_is_none(shop: Shop) -> None:
    token = sekisho("token", "--data-dir", shop.data_dir, "--audience", "another").stdout.strip()
    with grpc.insecure_channel(shop.grpc) as channel, pytest.raises(grpc.RpcError, match="signed for the audience `another`"):
        channel.unary_unary(WHO, None, None)(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=20.0)


def test_a_token_needs_credentials(tmp_path: Path) -> None:
    done = sekisho("token", "--data-dir", tmp_path, env={"HOME": str(tmp_path)})
    assert "cannot read the credentials file" in one_line(done)


def test_a_server_is_healthy(shop: Shop) -> None:
    done = sekisho("health", "--data-dir", shop.data_dir)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ok"
    assert sekisho("health", env={"SEKISHO_DATA_DIR": str(shop.data_dir)}).returncode == 0


def test_no_server_is_not_healthy(tmp_path: Path) -> None:
    assert "no server runs in the data directory" in one_line(sekisho("health", "--data-dir", tmp_path))
    (tmp_path / "endpoints.json").write_text('{"grpc": "127.0.0.1:1", "http": "127.0.0.1:1"}')
    assert "127.0.0.1:1 does not answer" in one_line(sekisho("health", "--data-dir", tmp_path))


def test_a_server_that_says_no_is_not_healthy(tmp_path: Path) -> None:
    class Stale(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"status":"stale"}')

        def log_message(self, *_: object) -> None:
            """Silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Stale) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        # a listener on all addresses is asked on loopback
        (tmp_path / "endpoints.json").write_text(json.dumps({"grpc": "0.0.0.0:1", "http": f"0.0.0.0:{server.server_port}"}))
        done = sekisho("health", "--data-dir", tmp_path)
    assert (done.returncode, done.stderr) == (1, '{"status":"stale"}\n')
