"""Compose file and chart: they parse, what they name is there, and what they tell `sekisho` it understands."""

import importlib.util
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from sqlalchemy import make_url
from typer.models import OptionInfo

from sekisho import cli
from sekisho.cli.serve import serve

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm/sekisho"
COMPOSE: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNLISTED = {"SEKISHO_MASTER_KEY"}
"""Read from the environment alone."""

helm = pytest.mark.skipif(importlib.util.find_spec("helm_python") is None, reason="Helm is not installed: `make charts`; CI has it")


def options() -> tuple[set[str], set[str]]:
    """The flags and variables of `sekisho serve`."""
    flags: set[str] = set()
    variables: set[str] = set()
    for name, hint in typing.get_type_hints(serve, include_extras=True).items():
        for said in getattr(hint, "__metadata__", ()):
            if isinstance(said, OptionInfo):
                flags |= {f"--{name.replace('_', '-')}", *(said.param_decls or ())}
                variables |= {said.envvar} if isinstance(said.envvar, str) else set()
    return flags, variables


FLAGS, VARIABLES = options()


def understood(words: list[str]) -> bool:
    """Whether there is such a command."""
    command: Any = typer.main.get_command(cli.app)
    for word in words:
        if word.startswith("-"):
            break
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return False
    return all(word in FLAGS for word in words if word.startswith("--")) if words[0] == "serve" else True


def test_the_services_of_compose_start_what_there_is() -> None:
    ours = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "sekisho"}
    assert {"control", "data"} <= set(ours)
    for name, service in ours.items():
        if "entrypoint" not in service:
            assert understood(service["command"]), name
        assert set(service.get("environment", {})) <= VARIABLES, name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_what_compose_mounts_and_waits_for_is_there() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_the_superuser_of_compose_gives_the_grants() -> None:
    """They change a role and grant one of PostgreSQL's own, which who only owns the schema is not permitted."""
    database, url = COMPOSE["services"]["postgres"]["environment"], make_url(COMPOSE["services"]["grants"]["entrypoint"][1])
    assert (url.username, url.password) == (database.get("POSTGRES_USER", "postgres"), database["POSTGRES_PASSWORD"])


def test_compose_opens_ports_on_loopback_alone() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_compose_runs_no_image_of_whatever_is_newest() -> None:
    images = {service["image"] for service in COMPOSE["services"].values()} - {"sekisho"}
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


FULL: dict[str, Any] = {
    "insecure": True,
    "postgresql": {"enabled": True},
    "data": {"ring": {"secret": "ring"}, "decisionLog": "-", "options": {"log-level": "debug"}},
    "serviceMonitor": {"enabled": True},
    "masterKey": {"secret": "master"},
    "otel": {"endpoint": "http://collector:4317"},
}
SECURED: dict[str, Any] = {"tls": {"secret": "tls"}, "database": {"secret": "database"}, "data": {"ring": {"secret": "ring"}}}
LEAST: dict[str, Any] = {"insecure": True, "database": {"secret": "database"}}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that the chart makes of these values."""
    import helm_python

    files = helm_python.Chart.load(CHART).render(values, name="auth", namespace="iam")
    return [made for name, text in files.items() if name.endswith(".yaml") for made in yaml.safe_load_all(text) if made]


def containers(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every container of ours."""
    for made in objects:
        if made["kind"] == "StatefulSet":
            pod = made["spec"]["template"]["spec"]
            yield from (one for one in [*pod["containers"], *pod.get("initContainers", ())] if one["image"].startswith("sekisho"))


@helm
@pytest.mark.parametrize("values", [FULL, SECURED, LEAST], ids=["full", "secured", "least"])
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    import helm_python

    found = helm_python.lint(CHART, values, strict=True)
    assert [one for one in found["messages"] if one["severity"] > 1] == []
    assert found["errors"] == []


@helm
@pytest.mark.parametrize("values", [FULL, SECURED, LEAST], ids=["full", "secured", "least"])
def test_the_chart_starts_what_there_is(values: dict[str, Any]) -> None:
    seen = list(containers(rendered(values)))
    assert seen
    for one in seen:
        if "args" in one:
            assert understood(one["args"]), one["args"]
        assert {entry["name"] for entry in one.get("env", ())} <= VARIABLES | UNLISTED
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["runAsNonRoot"] is True
        assert "value" not in next((entry for entry in one.get("env", ()) if entry["name"] == "SEKISHO_DATABASE"), {})


@helm
def test_services_of_the_chart_find_their_pods() -> None:
    objects = rendered(FULL)
    assert sorted(f"{made['kind']} {made['metadata']['name']}" for made in objects) == [
        "PodDisruptionBudget auth-data",
        "Secret auth-database",
        "Service auth-control",
        "Service auth-data",
        "Service auth-postgresql",
        "ServiceMonitor auth",
        "StatefulSet auth-control",
        "StatefulSet auth-data",
        "StatefulSet auth-postgresql",
    ]
    sets = {made["metadata"]["name"]: made["spec"] for made in objects if made["kind"] == "StatefulSet"}
    for service in (made for made in objects if made["kind"] == "Service"):
        spec = sets[service["metadata"]["name"]]
        labels = spec["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        ports = {port["name"] for one in spec["template"]["spec"]["containers"] for port in one.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@helm
def test_a_data_node_has_what_reads_and_its_drain_what_writes() -> None:
    [pod] = [
        made["spec"]["template"]["spec"]
        for made in rendered(SECURED)
        if made["kind"] == "StatefulSet" and made["metadata"]["name"] == "auth-data"
    ]
    urls = {
        one["name"]: entry["valueFrom"]["secretKeyRef"]
        for one in pod["containers"]
        for entry in one["env"]
        if entry["name"] == "SEKISHO_DATABASE"
    }
    assert urls == {"sekisho": {"name": "database", "key": "reader"}, "drain": {"name": "database", "key": "drain"}}
    variables = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    assert (variables["SEKISHO_TLS_CERT"], variables["SEKISHO_TLS_KEY"]) == ("/tls/tls.crt", "/tls/tls.key")
    assert "SEKISHO_INSECURE" not in variables


@helm
def test_what_drains_has_no_key_and_probes_have_time() -> None:
    """The master key opens what the ring beside the drain has; a probe that starts a program takes longer than Kubernetes' one second."""
    seen = {(tuple(one.get("args", ())), one["name"]): one for one in containers(rendered(FULL))}
    named = {name for (args, name), one in seen.items() if any(entry["name"] == "SEKISHO_MASTER_KEY" for entry in one.get("env", ()))}
    assert named == {"sekisho"}
    probes = [probe for one in seen.values() for kind, probe in one.items() if kind.endswith("Probe")]
    assert [probe["timeoutSeconds"] for probe in probes] == [5] * 6


@helm
def test_the_chart_refuses_to_listen_in_the_clear_unless_it_is_told() -> None:
    import helm_python

    with pytest.raises(helm_python.HelmError, match="insecure=true where the network is trusted"):
        rendered({"database": {"secret": "database"}})
