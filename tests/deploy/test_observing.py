"""Dashboard and alerts: every metric that they name is one that a running server exposes, with the labels that it has."""

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from sekisho import edges, meters, node, operations
from sekisho.meters import Age, Gauge
from tests.node.test_metrics import GATEWAY, everything
from tests.served import serving

operations.load()
for package in (edges, node):  # which load all that declares a metric
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
DEPLOY = Path(__file__).parents[2] / "deploy"
BOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]
SCRAPED = {"instance", "job", "le", "role"}
"""Labels that Prometheus has of its own."""


def expressions() -> dict[str, str]:
    """Every expression, by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for group in RULES for rule in group["rules"]}
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


EXPRESSIONS = expressions()


def names(expression: str) -> set[str]:
    """The metrics of ours that an expression names."""
    return set(re.findall(r"\bsekisho_\w+", expression))


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all samples that a running server exposes, or would, once there is something to say."""
    folder = tmp_path_factory.mktemp("server")
    with serving(f"sqlite:///{folder / 'sekisho.db'}", folder, program=GATEWAY) as served:
        everything(served)
        with urlopen(f"http://{served.endpoints['http']}/metrics", timeout=60) as answer:  # of a server of our own
            text = answer.read().decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    parts = {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "sum", "count")}
    return {name for name, kind in kinds.items() if kind != "histogram"} | parts


def test_every_metric_that_is_named_is_exposed(exposed: set[str]) -> None:
    assert len(EXPRESSIONS) > 40
    assert "sekisho_decisions_total" in exposed
    missing = {where: sorted(names(expression) - exposed) for where, expression in EXPRESSIONS.items() if names(expression) - exposed}
    assert missing == {}


def test_every_metric_is_on_the_dashboard(exposed: set[str]) -> None:
    shown = set().union(*(names(expression) for where, expression in EXPRESSIONS.items() if where.startswith("panel")))
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed}
    assert sorted(bases - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}) == []


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_labels_are_those_of_the_metric(where: str) -> None:
    expression = EXPRESSIONS[where]
    used = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
    for group in re.findall(r"\bby\s*\(([^)]*)\)", expression):
        used |= {label.strip() for label in group.split(",")}
    known = set(SCRAPED)
    for name in names(expression):
        family = meters.FAMILIES[re.sub(r"_(total|bucket|sum|count)$", "", name)]
        known |= {*family.label_names, *(("worker",) if isinstance(family, Gauge | Age) else ())}
    assert used <= known, where


def test_an_alert_says_what_to_do() -> None:
    alerts = [rule for group in RULES for rule in group["rules"]]
    assert len(alerts) == len({rule["alert"] for rule in alerts})
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: it is in Debian's prometheus; CI has it")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", "prometheus/alerts.yaml"),
        ("check", "config", "prometheus/prometheus.yaml"),
        ("test", "rules", "prometheus/alerts.test.yaml"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_have_places_of_their_own() -> None:
    places: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_every_metric_is_explained(exposed: set[str]) -> None:
    text = (DEPLOY.parent / "docs/observing.md").read_text()
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed}
    assert sorted(name for name in bases if f"`{name}`" not in text) == []
