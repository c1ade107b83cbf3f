"""What `sekisho serve` is told, once and whole: the same frozen options reach every worker."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sekisho.credentials import issuer_urls, key_ids, passkeys
from sekisho.credentials.oidc import addresses
from sekisho.edges.grpc.lean.port import SUPPORTED
from sekisho.edges.grpc.server import AGE
from sekisho.errors import InvalidArgument
from sekisho.journal.decision_log import ALL, parsed
from sekisho.journal.trail import destinations
from sekisho.node import listeners, logs
from sekisho.node.roles import ROLES

_KEY_ID = re.compile(r"[A-Za-z0-9_]{20}")  # what the rules of AccessKeyId accept, in the length that AWS's have
_SECRET = re.compile(r"[\x21-\x7e]{40}")

LEAN, GRPCIO = "lean", "grpcio"
"""What listens for gRPC: code of our own (`edges.grpc.lean`), or grpcio."""
DEFAULT = LEAN if SUPPORTED else GRPCIO
LONGEST_RECIPIENT = 1024
"""Characters of a URL that responses of SAML providers are for."""
LEAST_MEMORY = 256
"""MiB: a worker takes about half of that before it was asked anything."""


class UnsafeListener(InvalidArgument):
    """A listener would carry credentials in the clear over a network."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is told; addresses are HOST:PORT, port 0 picks a free one. No `database`: SQLite in the data directory."""

    data_dir: Path
    database: str = ""
    role: str = "all"  # a row of `roles.ROLES`
    grpc: str = "127.0.0.1:50051"
    http: str = "127.0.0.1:8080"
    grpc_listener: str = ""  # LEAN or GRPCIO; none: LEAN where it is supported
    lean: str = ""  # a second port for gRPC, always of the lean listener; none: nowhere
    workers: int = 1
    worker_memory: int = 2048  # MiB beyond which one of several workers is replaced; 0: however large it grows
    connection_age: float = AGE  # seconds that a connection over gRPC lasts
    max_staleness: int = 0  # seconds; 0: no limit
    snapshot_interval: int = 30  # seconds
    audience: str = "sekisho"
    clock_skew: int = 5  # minutes
    issuer_url: str = ""  # of the HTTP listener as others reach it; none: where it listens
    metrics: str = ""  # with several workers, each takes the next port; none: /metrics is beside /healthz
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None  # whose certificates clients over gRPC have to show
    spiffe_map: Path | None = None  # which of them are which principals
    insecure: bool = False
    pin: bool = True  # each worker to a core
    log_format: str = "json"
    log_level: str = "info"
    decision_log: str = ""  # a file, `-` for standard output, `otlp` for where telemetry goes; none: decisions are not logged
    decision_log_level: str = ALL
    otel_endpoint: str = ""  # http://HOST:PORT or https://HOST:PORT of a collector; OTEL_… variables may say it as well
    trail_buckets: tuple[str, ...] = ()  # NAME=URL each: `journal.trail.destinations`
    trail_delivery: int = 300  # seconds between two files of a trail
    trail_digests: int = 3600  # seconds that a digest file is about
    trail_checkpoints: Path | None = None  # a directory
    trail_checkpoint_bucket: str = ""  # the name of one of `trail_buckets`
    trail_checkpoint_seconds: int = 60
    trail_retention_days: int = 90  # of accounts that do not say their own; 0: for ever
    audit_sink: str = ""  # as `decision_log`
    saml_recipients: tuple[str, ...] = ()  # URLs that responses of SAML providers are for; none: AWS's
    oidc_allow_private: tuple[str, ...] = ()  # HOST, HOST:PORT or HOST=ADDRESS:PORT each: `credentials.oidc.addresses`
    passkey_rp_id: str = ""  # the domain of passkeys; none: no passkeys are made
    passkey_origins: tuple[str, ...] = ()  # of the pages that may ask for them
    account_id: str | None = None
    root_access_key_id: str | None = None
    root_secret_access_key: str | None = field(default=None, repr=False)
    master_key: bytes | None = field(default=None, repr=False)  # wraps the key ring; None: the ring's file has its own

    @property
    def leanly(self) -> bool:
        """Whether gRPC is answered by the lean listener."""
        return (self.grpc_listener or DEFAULT) == LEAN

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{self.data_dir.resolve() / 'sekisho.db'}"

    @property
    def encrypted(self) -> bool:
        """Whether the listeners speak TLS."""
        return self.tls_cert is not None and self.tls_key is not None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running server listens."""

    grpc: str
    http: str
    lean: str = ""


def check(options: Options) -> None:
    """Refuse what cannot be meant, before anything is made; InvalidArgument names the option."""
    for test, message in (
        (bool(options.tls_cert) != bool(options.tls_key), "--tls-cert and --tls-key go together"),
        (options.tls_client_ca and not options.tls_cert, "--tls-client-ca is for a listener with TLS; give --tls-cert and --tls-key"),
        (
            options.spiffe_map and not options.tls_client_ca,
            "--spiffe-map is about clients' certificates; give --tls-client-ca, whose they are",
        ),
        (options.role not in ROLES, f"--role is one of {', '.join(ROLES)}"),
        (options.workers < 1, "--workers must be at least 1"),
        (options.max_staleness < 0, "--max-staleness must be 0, for no limit, or a number of seconds"),
        (options.snapshot_interval < 1, "--snapshot-interval must be at least 1 second"),
        (0 < options.worker_memory < LEAST_MEMORY, f"--worker-memory must be 0, or at least {LEAST_MEMORY} MiB"),
        (not 5 <= options.clock_skew <= 15, "--clock-skew must be 5 to 15 minutes"),
        (options.grpc_listener not in ("", LEAN, GRPCIO), f"--grpc-listener is {LEAN} or {GRPCIO}"),
        ((options.lean or options.grpc_listener == LEAN) and not SUPPORTED, "--lean and --grpc-listener=lean are for Linux"),
        (options.decision_log_level != ALL and not options.decision_log, "--decision-log-level is about a log; give --decision-log"),
        (options.trail_delivery < 1, "--trail-delivery-seconds must be at least 1"),
        (options.trail_digests < 1, "--trail-digest-seconds must be at least 1"),
        (options.trail_checkpoint_seconds < 1, "--trail-checkpoint-seconds must be at least 1"),
        (options.trail_retention_days < 0, "--trail-retention-days must be 0, for ever, or a number of days"),
        (options.log_format not in logs.FORMATS, f"--log-format is one of {', '.join(logs.FORMATS)}"),
        (bool(options.passkey_rp_id) != bool(options.passkey_origins), "--passkey-rp-id and --passkey-origin go together"),
        (options.log_level not in logs.LEVELS, f"--log-level is one of {', '.join(logs.LEVELS)}"),
    ):
        if test:
            raise InvalidArgument(message)
    if not ROLES[options.role].writes and not options.database:
        raise InvalidArgument(f"--role {options.role} reads what another node writes; name its database with --database")
    for name, listener in (("--grpc", options.grpc), ("--http", options.http), *((("--lean", options.lean),) if options.lean else ())):
        _refuse_plaintext(name, listener, options)
    if options.passkey_rp_id and (wrong := passkeys.problem(options.passkey_rp_id, options.passkey_origins)):
        raise InvalidArgument(f"--passkey-rp-id, --passkey-origin: {wrong}")
    parsed(options.decision_log_level)
    destinations.parsed(options.trail_buckets)
    for recipient in options.saml_recipients:
        if not recipient.startswith(("https://", "http://")) or len(recipient) > LONGEST_RECIPIENT or not recipient.isascii():
            raise InvalidArgument(f"--saml-recipient: `{recipient}` is not a URL")
    addresses.parse(options.oidc_allow_private)
    if options.issuer_url:
        issuer_urls.checked(options.issuer_url)
    if options.metrics:
        listeners.split(options.metrics)
    _check_root_key(options.root_access_key_id, options.root_secret_access_key)


def _refuse_plaintext(name: str, listener: str, options: Options) -> None:
    """Without TLS only loopback is listened on, unless somebody insists."""
    host, _ = listeners.split(listener)
    if not (options.encrypted or options.insecure or listeners.is_loopback(host)):
        raise UnsafeListener(
            f"{name} {listener} would carry credentials in the clear; give --tls-cert and --tls-key, or --insecure if you mean it"
        )


def _check_root_key(access_key_id: str | None, secret: str | None) -> None:
    """The messages do not quote what was given: it may be the secret in the wrong variable."""
    if access_key_id and (not _KEY_ID.fullmatch(access_key_id) or key_ids.is_temporary(access_key_id)):
        raise InvalidArgument(
            "SEKISHO_ROOT_ACCESS_KEY_ID is not an access key id: 20 letters, digits and underscores, "
            f"which do not begin with {key_ids.TEMPORARY}"
        )
    if secret and not _SECRET.fullmatch(secret):
        raise InvalidArgument("SEKISHO_ROOT_SECRET_ACCESS_KEY is not a secret access key: 40 visible ASCII characters")
    if bool(access_key_id) != bool(secret):
        raise InvalidArgument("SEKISHO_ROOT_ACCESS_KEY_ID and SEKISHO_ROOT_SECRET_ACCESS_KEY go together")
