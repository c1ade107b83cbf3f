"""The options of `sekisho serve`: each reaches the server, and what nobody says is what the documents promise."""

import os
from base64 import b64encode
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sekisho import cli
from sekisho.node import run
from sekisho.node.options import Options

KEY = bytes(range(32))
NOT_AN_OPTION = {"connection_age", "root_access_key_id", "root_secret_access_key"}
"""Of tests, and of the environment alone."""
GIVEN: dict[str, tuple[str, Any]] = {
    "data_dir": ("/nowhere/data", Path("/nowhere/data")),
    "database": ("sqlite:////nowhere/other.db", "sqlite:////nowhere/other.db"),
    "role": ("data", "data"),
    "grpc": ("127.0.0.1:1", "127.0.0.1:1"),
    "http": ("127.0.0.1:2", "127.0.0.1:2"),
    "grpc_listener": ("grpcio", "grpcio"),
    "lean": ("127.0.0.1:3", "127.0.0.1:3"),
    "workers": ("3", 3),
    "worker_memory": ("512", 512),
    "max_staleness": ("4", 4),
    "snapshot_interval": ("5", 5),
    "audience": ("orders", "orders"),
    "clock_skew": ("6", 6),
    "issuer_url": ("https://auth.example.com", "https://auth.example.com"),
    "metrics": ("127.0.0.1:7", "127.0.0.1:7"),
    "tls_cert": ("cert.pem", Path("cert.pem")),
    "tls_key": ("key.pem", Path("key.pem")),
    "tls_client_ca": ("ca.pem", Path("ca.pem")),
    "spiffe_map": ("map", Path("map")),
    "insecure": ("", True),
    "pin": ("no", False),
    "account_id": ("111122223333", "111122223333"),
    "log_format": ("text", "text"),
    "log_level": ("error", "error"),
    "decision_log": ("-", "-"),
    "decision_log_level": ("denies", "denies"),
    "otel_endpoint": ("http://127.0.0.1:8", "http://127.0.0.1:8"),
    "oidc_allow_private": ("keycloak.internal=10.0.0.7:8443", ("keycloak.internal=10.0.0.7:8443",)),
    "trail_buckets": ("logs=file:///nowhere/logs", ("logs=file:///nowhere/logs",)),
    "trail_delivery": ("9", 9),
    "trail_digests": ("10", 10),
    "trail_checkpoints": ("/nowhere/checkpoints", Path("/nowhere/checkpoints")),
    "trail_checkpoint_bucket": ("logs", "logs"),
    "trail_checkpoint_seconds": ("11", 11),
    "trail_retention_days": ("12", 12),
    "audit_sink": ("/nowhere/audit.jsonl", "/nowhere/audit.jsonl"),
    "saml_recipients": ("https://sekisho.example.com/saml", ("https://sekisho.example.com/saml",)),
    "passkey_rp_id": ("example.com", "example.com"),
    "passkey_origins": ("https://example.com", ("https://example.com",)),
    "master_key": ("", KEY),
}
CALLED = {
    "passkey_origins": "passkey-origin",
    "trail_buckets": "trail-bucket",
    "trail_delivery": "trail-delivery-seconds",
    "trail_digests": "trail-digest-seconds",
    "saml_recipients": "saml-recipient",
}
"""Options whose flags are not named as they are."""


def told(monkeypatch: pytest.MonkeyPatch, *line: str, **environment: str) -> Options:
    """The options that a command line gives the server."""
    found: list[Options] = []

    def serve(options: Options, *_: object, **__: object) -> int:
        found.append(options)
        return 0

    monkeypatch.setattr(run, "serve", serve)
    for variable in [name for name in os.environ if name.startswith("SEKISHO_")]:
        monkeypatch.delenv(variable)
    done = CliRunner().invoke(cli.app, ["serve", *line], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_every_option_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {field.name for field in fields(Options)} - NOT_AN_OPTION == set(GIVEN)
    flags = {"pin": ["--no-pin"], "insecure": ["--insecure"], "master_key": []}
    line = [word for name, (text, _) in GIVEN.items() for word in flags.get(name, [f"--{CALLED.get(name, name.replace('_', '-'))}", text])]
    options = told(monkeypatch, *line, SEKISHO_MASTER_KEY=b64encode(KEY).decode())
    itself = Options(data_dir=Path())
    for name, (_, value) in GIVEN.items():
        assert getattr(options, name) == value, name
        assert getattr(itself, name) != value, f"{name}: it would be so without being told"


def test_what_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    options = told(monkeypatch)
    assert options == Options(data_dir=Path(".data"))
    assert (options.connection_age, options.lean, options.role, options.worker_memory) == (60.0, "", "all", 2048)
    assert (options.max_staleness, options.snapshot_interval) == (0, 30)
