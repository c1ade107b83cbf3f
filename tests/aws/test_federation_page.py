"""The commands of docs/federation.md do what the page says, as they stand there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import providers
from tests.aws.conftest import REGION, Served, serving
from tests.certificates import Authority
from tests.providers import Provider

PAGE = (Path(__file__).parents[2] / "docs/federation.md").read_text()
CLUSTER = "oidc.cluster.example.com"


def commands(title: str) -> str:
    """The shell's part of a section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found
    return "".join(found)


class Written(Authority):
    """One whose certificate is a file."""

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate)
        return path


@pytest.fixture(scope="module")
def github() -> Iterator[tuple[Provider, Written]]:
    made, authority = Provider(providers.GITHUB), Written()
    with providers.listening(made, made.host, authority=authority) as (made.place, made.thumbprint):
        yield made, authority


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Provider, Written]]:
    made, authority = Provider(CLUSTER), Written()
    with providers.listening(made, made.host, authority=authority) as (made.place, made.thumbprint):
        yield made, authority


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, github: Any, cluster: Any) -> Iterator[Served]:
    """A server whose system trusts GitHub's authority, and not the cluster's."""
    folder = tmp_path_factory.mktemp("served")
    options = [word for made, _ in (github, cluster) for word in ("--oidc-allow-private", made.allowance)]
    environment = {"SSL_CERT_FILE": str(github[1].write(folder / "public.pem"))}
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}", *options, environment=environment) as made:
        yield made


def shell(server: Served, folder: Path, text: str, *, signed: bool = True, **variables: str) -> list[str]:
    """The lines that commands print."""
    environment = server.environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", HOME=str(folder), **variables)
    if not signed:
        environment = {name: value for name, value in environment.items() if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


WHO = "aws sts get-caller-identity --query Arn --output text"


def test_a_job_of_github_actions(server: Served, github: tuple[Provider, Written], tmp_path: Path) -> None:
    (role,) = shell(server, tmp_path, commands("A job of GitHub Actions"))
    assert role.endswith(":role/deployer")
    path = tmp_path / "token"
    variables = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_REGION": REGION}
    path.write_text(github[0].token(sub="repo:my-org/orders:ref:refs/heads/main"))
    (arn,) = shell(server, tmp_path, WHO, signed=False, **variables)
    assert ":assumed-role/deployer/" in arn
    path.write_text(github[0].token(sub="repo:other-org/orders:ref:refs/heads/main"))
    assert shell(server, tmp_path, f"! {WHO}", signed=False, **variables) == []


def test_a_pod_of_kubernetes(server: Served, cluster: tuple[Provider, Written], tmp_path: Path) -> None:
    cluster[1].write(tmp_path / "cluster-ca.pem")
    (role,) = shell(server, tmp_path, commands("A pod of Kubernetes"))
    path = tmp_path / "token"
    path.write_text(cluster[0].token(sub="system:serviceaccount:shop:till", aud=["sts.amazonaws.com"]))
    variables = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_REGION": REGION}
    (arn,) = shell(server, tmp_path, WHO, signed=False, **variables)
    assert ":assumed-role/till/" in arn
