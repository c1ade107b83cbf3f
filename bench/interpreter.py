"""Which Python a figure was measured with: one that was built with profile-guided optimisation takes a fifth to two fifths less."""

import platform
import sys
import sysconfig
import time

_FLAGS = ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CFLAGS_NODIST", "PY_LDFLAGS_NODIST")
_TURNS = 20_000


def said() -> str:
    """The version, how it says that it was built, and nanoseconds of a fixed loop. Some builds are optimised and do not say so (Debian's):
    the loop tells, beside that of another build on the same machine.
    """
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in _FLAGS)
    built = [name for mark, name in (("--enable-optimizations", "PGO"), ("-fprofile-use", "PGO"), ("-flto", "LTO")) if mark in flags]
    how = " and ".join(dict.fromkeys(built)) or "does not say whether it is optimised"
    nogil = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", without a GIL"
    return f"Python {platform.python_version()} ({sys.executable}; {how}{nogil}; {_loop():.0f} ns a turn of a fixed loop)"


def _loop() -> float:
    best = float("inf")
    for _ in range(20):
        began = time.process_time()
        _work()
        best = min(best, time.process_time() - began)
    return best / _TURNS * 1e9


def _work() -> int:
    total, seen = 0, dict[int, int]()
    for number in range(_TURNS):
        seen[number & 255] = total
        total += len(str(number)) + (number % 7 == 3)
    return total
