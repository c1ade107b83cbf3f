"""Compiles `proto/` into `service/sekisho/api/`: a build hook of Hatchling for wheels and editable installs, and a program for `make gen`.

The path of a proto is its package and its Python module: `sekisho/api/iam/v1/users.proto` is `sekisho.api.iam.v1.users_pb2`.
There are no service stubs: handlers are made by a loop over the descriptors, and typed clients are written by `proto/clients.py`.
"""

import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("sekisho/api")
CARRIED = {"migrations": "sekisho/migrations", "docs/examples": "sekisho/examples", "proto/sekisho/api": "sekisho/proto/sekisho/api"}
DOCSTRING = '"""Made from proto/ by hatch_build.py; edits are lost."""\n'


def compile_protos(root: Path) -> list[Path]:
    """Bring `service/sekisho/api` in step with `proto/`; returns what it wrote or removed, nothing when all was right already."""
    from grpc_tools import protoc

    protos = sorted((root / "proto").rglob("*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory(prefix="sekisho-api-") as folder:
        made = Path(folder)
        flags = [f"-I{root / 'proto'}", f"-I{include}", f"--python_out={made}", f"--pyi_out={made}"]
        described = ["--include_imports", "--include_source_info", f"--descriptor_set_out={made / 'described'}"]
        if protoc.main(["protoc", *flags, *described, *(str(proto) for proto in protos)]) != 0:
            raise SystemExit("protoc refused the files in proto/")
        snake = runpy.run_path(str(root / "service/sekisho/naming.py"))["snake"]
        clients = runpy.run_path(str(root / "proto/clients.py"))["modules"]
        for name, text in clients((made / "described").read_bytes(), snake):
            (made / name).write_text(text)
        for package in {path.parent for path in made.rglob("*.py")}:
            while package != made / PACKAGE.parent:
                (package / "__init__.py").write_text(DOCSTRING)
                package = package.parent
        return _copy_changes(made / PACKAGE, root / "service" / PACKAGE)


def _copy_changes(made: Path, target: Path) -> list[Path]:
    """Write only what differs, so that caches and running servers see no change where there is none."""
    wanted = {path.relative_to(made): path.read_bytes() for path in made.rglob("*.py*")}
    present = {path.relative_to(target) for path in target.rglob("*.py*") if path.suffix in (".py", ".pyi")} if target.exists() else set()
    changed = []
    for name, content in wanted.items():
        path = target / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(path)
    for name in sorted(present - wanted.keys()):
        (target / name).unlink()
        changed.append(target / name)
    return changed


class ProtoHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs for every wheel; a standard one also carries migrations, examples and protos, an editable one finds them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_protos(Path(self.root))
        if version == "standard":
            build_data["force_include"] |= CARRIED


if __name__ == "__main__":
    for changed in compile_protos(Path(__file__).resolve().parent):
        print(changed.relative_to(Path.cwd()) if changed.is_relative_to(Path.cwd()) else changed, file=sys.stderr)
