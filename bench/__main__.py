"""`python -m bench [NAME …]`: runs the benchmarks of these names, all of them without a name."""

import importlib
import sys

BENCHMARKS = ("policy", "authorize", "overload", "writes", "gateway", "hostile")


def main() -> int:
    """Each benchmark is a module of this package with a function `run`."""
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or BENCHMARKS
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names:
        print(f"\n== {name}")
        importlib.import_module(f"bench.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
