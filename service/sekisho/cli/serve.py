"""`sekisho serve`: starts the server and stays."""

import os
import shlex
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import config_file, connection, screen
from sekisho.cli.connection import Audience, DataDir
from sekisho.cli.examples import example

if TYPE_CHECKING:
    from sekisho.node.options import Endpoints

Database = Annotated[
    str,
    typer.Option(envvar="SEKISHO_DATABASE", help="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME; else SQLite in DATA_DIR."),
]
MasterKeyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="SEKISHO_MASTER_KEY_FILE",
        help="A file with the key that wraps the key ring: 32 bytes in base64. SEKISHO_MASTER_KEY may hold it instead.",
    ),
]
MasterKeyCommand = Annotated[
    str,
    typer.Option(envvar="SEKISHO_MASTER_KEY_COMMAND", help="A program with its arguments that prints that key; no shell."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="SEKISHO_CONFIG",
        help="A YAML file of these options, `tls-cert: cert.pem`; flags and environment win over it.",
        is_eager=True,  # before the others look for their defaults
        callback=config_file.defaults,
    ),
]


def serve(
    config: ConfigFile = None,  # noqa: ARG001  # its callback has read it
    database: Database = "",
    role: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_ROLE",
            metavar="all|control|data",
            help="What it answers: `data` decides and issues, from a database that it only reads; `control` is for the rest.",
        ),
    ] = "all",
    grpc: Annotated[str, typer.Option(envvar="SEKISHO_GRPC", help="Where gRPC listens; port 0 picks a free one.")] = "127.0.0.1:50051",
    http: Annotated[str, typer.Option(envvar="SEKISHO_HTTP", help="Where HTTP listens; port 0 picks a free one.")] = "127.0.0.1:8080",
    grpc_listener: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_GRPC_LISTENER",
            metavar="lean|grpcio",
            help="What listens for gRPC: `lean`, on Linux, takes half of the time; `grpcio` is the library.",
        ),
    ] = "",
    lean: Annotated[
        str, typer.Option(envvar="SEKISHO_LEAN", help="Deprecated: a second port for gRPC; --grpc is the same listener by now.")
    ] = "",
    workers: Annotated[int, typer.Option(envvar="SEKISHO_WORKERS", min=1, help="Processes that answer.")] = 1,
    worker_memory: Annotated[
        int,
        typer.Option(envvar="SEKISHO_WORKER_MEMORY", min=0, help="MiB beyond which one of several workers is replaced, without a gap."),
    ] = 2048,
    max_staleness: Annotated[
        int,
        typer.Option(
            envvar="SEKISHO_MAX_STALENESS",
            min=0,
            help="Seconds without news of the database after which nothing more is decided; 0 for no limit.",
        ),
    ] = 0,
    snapshot_interval: Annotated[
        int, typer.Option(envvar="SEKISHO_SNAPSHOT_INTERVAL", min=1, help="Seconds between two snapshots of a data node's memory on disk.")
    ] = 30,
    data_dir: DataDir = connection.DATA_DIR,
    audience: Audience = "sekisho",
    clock_skew: Annotated[
        int, typer.Option(envvar="SEKISHO_CLOCK_SKEW", min=5, max=15, help="Minutes that a caller's clock may be off, over HTTP.")
    ] = 5,
    issuer_url: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_ISSUER_URL",
            metavar="https://HOST",
            help="The HTTP listener as other services reach it, for the issuers of tokens; without it, where it listens.",
        ),
    ] = "",
    metrics: Annotated[
        str, typer.Option(envvar="SEKISHO_METRICS", help="Where /metrics is, if not beside /healthz; each worker takes the next port.")
    ] = "",
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="SEKISHO_TLS_CERT", help="The certificate with its chain (PEM), for gRPC and HTTP.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="SEKISHO_TLS_KEY", help="Its private key (PEM).")] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="SEKISHO_TLS_CLIENT_CA", help="Who vouches for clients (PEM); without such a certificate nobody gets in by gRPC."
        ),
    ] = None,
    spiffe_map: Annotated[
        Path | None, typer.Option(envvar="SEKISHO_SPIFFE_MAP", help="Lines of `SPIFFE id: ARN`: which client is which user or role.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", envvar="SEKISHO_INSECURE", help="Listen without TLS on more than loopback.")
    ] = False,
    pin: Annotated[bool, typer.Option(envvar="SEKISHO_PIN", help="Keep each worker on one core: a call then costs a third less.")] = True,
    passkey_rp_id: Annotated[
        str,
        typer.Option(envvar="SEKISHO_PASSKEY_RP_ID", metavar="DOMAIN", help="The domain of passkeys; without it, none are made."),
    ] = "",
    passkey_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEKISHO_PASSKEY_ORIGIN", metavar="URL", help="A page's origin on it that may ask for passkeys; once for each."
        ),
    ] = None,
    account_id: Annotated[
        str | None, typer.Option(envvar="SEKISHO_ACCOUNT_ID", help="The account that the first start makes; random without it.")
    ] = None,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
    log_format: Annotated[str, typer.Option(envvar="SEKISHO_LOG_FORMAT", metavar="text|json", help="How log lines look.")] = "json",
    log_level: Annotated[
        str, typer.Option(envvar="SEKISHO_LOG_LEVEL", metavar="debug|info|warning|error", help="The least that is logged.")
    ] = "info",
    decision_log: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_DECISION_LOG", metavar="FILE|-|otlp", help="Where decisions are logged: a file, standard output, the collector."
        ),
    ] = "",
    decision_log_level: Annotated[
        str, typer.Option(envvar="SEKISHO_DECISION_LOG_LEVEL", metavar="all|denies|1/N", help="Which decisions are logged.")
    ] = "all",
    otel_endpoint: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_OTEL_ENDPOINT",
            help="http(s)://HOST:PORT of an OpenTelemetry collector (OTLP over gRPC); OTEL_… variables count.",
        ),
    ] = "",
    oidc_allow_private: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEKISHO_OIDC_ALLOW_PRIVATE",
            metavar="HOST[:PORT]|HOST=ADDRESS:PORT",
            help="A host of OpenID Connect providers that may be at a private address, or is at this one; once for each.",
        ),
    ] = None,
    trail_bucket: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEKISHO_TRAIL_BUCKET",
            metavar="NAME=URL",
            help="A bucket for trails: file:///absolute/folder or s3://bucket/prefix?endpoint_url=…; once for each.",
        ),
    ] = None,
    trail_delivery_seconds: Annotated[
        int, typer.Option(envvar="SEKISHO_TRAIL_DELIVERY_SECONDS", min=1, help="Seconds between two files of a trail.")
    ] = 300,
    trail_digest_seconds: Annotated[
        int, typer.Option(envvar="SEKISHO_TRAIL_DIGEST_SECONDS", min=1, help="Seconds that a digest file is about.")
    ] = 3600,
    trail_checkpoints: Annotated[
        Path | None,
        typer.Option(envvar="SEKISHO_TRAIL_CHECKPOINTS", help="A directory for signed checkpoints of the trail; see `trail verify`."),
    ] = None,
    trail_checkpoint_bucket: Annotated[
        str, typer.Option(envvar="SEKISHO_TRAIL_CHECKPOINT_BUCKET", metavar="NAME", help="The --trail-bucket that gets them.")
    ] = "",
    trail_checkpoint_seconds: Annotated[
        int, typer.Option(envvar="SEKISHO_TRAIL_CHECKPOINT_SECONDS", min=1, help="Seconds between two checkpoints, at the least.")
    ] = 60,
    trail_retention_days: Annotated[
        int,
        typer.Option(
            envvar="SEKISHO_TRAIL_RETENTION_DAYS",
            min=0,
            help="Days that records of the trail stay; 0 for ever. Accounts may say otherwise.",
        ),
    ] = 90,
    audit_sink: Annotated[
        str,
        typer.Option(
            envvar="SEKISHO_AUDIT_SINK", metavar="FILE|-|otlp", help="Where the trail is shipped: a file, standard output, the collector."
        ),
    ] = "",
    saml_recipient: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEKISHO_SAML_RECIPIENT",
            metavar="URL",
            help="What SAML providers send responses to; once for each. None: https://signin.aws.amazon.com/saml, as AWS.",
        ),
    ] = None,
) -> None:
    """Serve, and stay until it is told to stop.

    The first start on an empty database makes an account with a root access key, written to DATA_DIR/credentials
    (SEKISHO_ROOT_ACCESS_KEY_ID and SEKISHO_ROOT_SECRET_ACCESS_KEY choose it).
    """
    from sekisho.edges import aws, issuers
    from sekisho.node import master_key, run
    from sekisho.node.options import Options

    options = Options(
        data_dir=data_dir,
        database=database,
        role=role,
        max_staleness=max_staleness,
        snapshot_interval=snapshot_interval,
        grpc=grpc,
        http=http,
        grpc_listener=grpc_listener,
        lean=lean,
        workers=workers,
        worker_memory=worker_memory,
        audience=audience,
        clock_skew=clock_skew,
        issuer_url=issuer_url,
        metrics=metrics,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        spiffe_map=spiffe_map,
        insecure=insecure,
        pin=pin,
        log_format=log_format,
        log_level=log_level,
        decision_log=decision_log,
        decision_log_level=decision_log_level,
        otel_endpoint=otel_endpoint,
        oidc_allow_private=tuple(oidc_allow_private or ()),
        trail_buckets=tuple(trail_bucket or ()),
        trail_delivery=trail_delivery_seconds,
        trail_digests=trail_digest_seconds,
        trail_checkpoints=trail_checkpoints,
        trail_checkpoint_bucket=trail_checkpoint_bucket,
        trail_checkpoint_seconds=trail_checkpoint_seconds,
        trail_retention_days=trail_retention_days,
        audit_sink=audit_sink,
        saml_recipients=tuple(saml_recipient or ()),
        passkey_rp_id=passkey_rp_id,
        passkey_origins=tuple(passkey_origin or ()),
        account_id=account_id,
        master_key=master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command),
        # from the environment alone: arguments are seen by every user of the machine
        root_access_key_id=os.environ.get("SEKISHO_ROOT_ACCESS_KEY_ID"),
        root_secret_access_key=os.environ.get("SEKISHO_ROOT_SECRET_ACCESS_KEY"),
    )
    with ExitStack() as starting:
        starting.enter_context(screen.waiting("preparing the database and starting the workers"))

        def ready(endpoints: "Endpoints") -> None:
            starting.close()
            _welcome(endpoints, data_dir, tls_cert)

        code = run.serve(options, ready, edges=(issuers.application, aws.application))
    sys.exit(code)


def _welcome(endpoints: "Endpoints", data_dir: Path, tls_cert: Path | None) -> None:
    """Say where it listens, where the credentials are, and three commands to paste."""
    where = connection.reachable(endpoints.grpc)
    scheme = "http" if tls_cert is None else "https"
    lines = [f"gRPC         {where}", f"HTTP         {scheme}://{connection.reachable(endpoints.http)}/readyz"]
    if endpoints.lean:
        lines.insert(1, f"gRPC, lean   {connection.reachable(endpoints.lean)}")
    if (credentials := data_dir / "credentials").exists():
        lines.append(f"credentials  {credentials} (profile `root`)")
    sekisho, shop = _program(data_dir, tls_cert), _from_here(example("shop"))
    trust = "-plaintext" if tls_cert is None else f"-cacert {shlex.quote(str(tls_cert))}"
    tries = [
        f"{sekisho} load {shop}",
        f"{sekisho} authorize --principal user/support/amara --action orders:GetOrder --resource '*' --explain",
        f'grpcurl {trust} -H "authorization: Bearer $({sekisho} token)" {where} sekisho.api.sts.v1.StsService/GetCallerIdentity',
    ]
    said = ["Sekisho serves.", *(f"  {line}" for line in lines), "", "Try in another terminal:", *(f"  {line}" for line in tries)]
    print(*said, sep="\n", flush=True)


def _program(data_dir: Path, tls_cert: Path | None) -> str:
    """How this program is called from here, with the data directory where it is not the usual one, and whom to trust."""
    found = shutil.which("sekisho")
    here = Path(sys.argv[0])
    if here.name != "sekisho" or (found is not None and Path(found).resolve() == here.resolve()):
        name = "sekisho"
    else:
        name = shlex.quote(_from_here(here))
    variables = {"SEKISHO_DATA_DIR": data_dir if data_dir != connection.DATA_DIR else None, "SEKISHO_CA": tls_cert}
    given = [f"{variable}={shlex.quote(str(value))}" for variable, value in variables.items() if value is not None]
    return " ".join((*given, name))


def _from_here(path: Path) -> str:
    """The path as it is shortest to type."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
