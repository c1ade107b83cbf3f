"""`python -m bench [NAME …]`: runs the benchmarks of these names, without a name all but the large ones; at the end, one table beside the
peers.
"""

import importlib
import sys

from bench import interpreter, summary

BENCHMARKS = ("policy", "authorize", "overload", "writes", "gateway", "sts", "hostile", "oracles", "organizations", "access", "escalation")
LARGE = ("scale", "resources", "trail", "revocation")
"""Those that take minutes and gigabytes, and are run by name alone."""


def main() -> int:
    """Each benchmark is a module of this package with a function `run`, which may give a Summary."""
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or BENCHMARKS
    unknown = sorted(set(names) - {*BENCHMARKS, *LARGE})
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join((*BENCHMARKS, *LARGE))}", file=sys.stderr)
        return 2
    print(interpreter.said(), flush=True)
    summaries = []
    for name in names:
        print(f"\n== {name}", flush=True)
        found = importlib.import_module(f"bench.{name}").run()
        if found is not None:
            summaries.append((name, found))
    if summaries:
        print("\n== beside the peers")
        print(*summary.lines(summaries), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
