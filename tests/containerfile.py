"""Runs the steps of a Dockerfile in a scratch folder, for machines without an engine.

Each stage has a root of its own, and all of them lie at one path while they are built: what a stage wrote into its files with absolute
paths still holds in the stage that copies them. A RUN step is run by the shell with the paths of the image moved below that root; the
base image is the Python that runs the tests. Nothing is done as another user, and no file outside the scratch folder is touched.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PLACES = ("opt", "src", "dist", "var/lib")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: `name` in capitals, `flags` without dashes, `text` what follows them."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The text as a JSON array, else as shell words."""
        return [str(word) for word in json.loads(self.text)] if self.text.startswith("[") else shlex.split(self.text)


@dataclass(slots=True)
class Stage:
    """The steps from one FROM to the next, and what they set."""

    name: str
    base: str
    steps: list[Step] = field(default_factory=list)

    def last(self, instruction: str) -> Step | None:
        """The step that stands, of an instruction that each new one replaces."""
        return next((step for step in reversed(self.steps) if step.name == instruction), None)

    @property
    def environment(self) -> dict[str, str]:
        """All that ENV sets."""
        return dict(word.split("=", 1) for step in self.steps if step.name == "ENV" for word in step.words)


def parse(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, rest = line.split(maxsplit=1)
        flags = {}
        while found := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            stages.append(Stage(name=alias or str(len(stages)), base=base))
        else:
            stages[-1].steps.append(Step(name, flags, rest))
    return stages


def ignored(path: str, patterns: Iterable[str]) -> bool:
    """Whether a .dockerignore keeps a path (relative, with slashes) from the engine; the last pattern that matches decides."""
    verdict = False
    parts = path.split("/")
    ancestors = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    for pattern in patterns:
        wanted = pattern.removeprefix("!").removeprefix("/")
        names = parts if wanted.startswith("**/") else ancestors
        if any(fnmatch.fnmatchcase(name, wanted.removeprefix("**/")) for name in names):
            verdict = not pattern.startswith("!")
    return verdict


@dataclass(frozen=True, slots=True)
class Build:
    """A build in `scratch` from the checkout `context`; `environment` is what the steps see beside ENV, such as where caches lie."""

    context: Path
    scratch: Path
    environment: dict[str, str]

    @property
    def root(self) -> Path:
        """Where the stage under construction lies, and at the end the last one."""
        return self.scratch / "root"

    def inside(self, text: str) -> str:
        """The paths of the image in a text, moved below the root."""
        return re.sub(rf"(?<![\w./-])/(?={'|'.join(PLACES)})", f"{self.root}/", text)

    def run(self, stages: list[Stage]) -> None:
        """Build all stages; CalledProcessError when a step fails."""
        for number, stage in enumerate(stages):
            self.root.mkdir(parents=True)
            workdir = self.root
            for step in stage.steps:
                if step.name == "WORKDIR":
                    workdir = Path(self.inside(step.text))
                    workdir.mkdir(parents=True, exist_ok=True)
                elif step.name == "COPY":
                    self.copy(step, workdir)
                elif step.name == "RUN":
                    subprocess.run(
                        ["/bin/sh", "-ec", self.inside(step.text)], cwd=workdir, env=self.shell(), check=True, capture_output=True
                    )
            if number < len(stages) - 1:
                self.root.rename(self.scratch / stage.name)

    def shell(self) -> dict[str, str]:
        """The environment of a RUN step: a PATH whose `python` is this one, and no settings of the machine's user."""
        path = self.scratch / "path"
        if not path.exists():
            path.mkdir()
            (path / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
        return {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(self.scratch), **self.environment}

    def copy(self, step: Step, workdir: Path) -> None:
        """COPY from the checkout, less what .dockerignore names, or from an earlier stage."""
        *sources, target = step.words
        goal = Path(self.inside(target)) if target.startswith("/") else workdir / target
        for source in sources:
            if "from" in step.flags:
                shutil.copytree(self.scratch / step.flags["from"] / source.lstrip("/"), goal, symlinks=True)
            elif (self.context / source).is_dir():
                shutil.copytree(self.context / source, goal, ignore=self.kept_out)
            elif not ignored(source, self.patterns):
                goal.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.context / source, goal)

    @property
    def patterns(self) -> list[str]:
        """The lines of .dockerignore."""
        lines = (self.context / ".dockerignore").read_text().splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def kept_out(self, folder: str, names: list[str]) -> list[str]:
        """What `shutil.copytree` shall leave out of a folder."""
        place = os.path.relpath(folder, self.context).replace(os.sep, "/")
        return [name for name in names if ignored(f"{place}/{name}", self.patterns)]
