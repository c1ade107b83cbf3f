"""Names of calls, by which a caller, the log and the audit speak of the same one."""

import itertools
import os
import secrets


def _prefixed() -> str:
    text = secrets.token_hex(10)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:]}-"


_prefix = _prefixed()
_numbers = itertools.count(1)


def new() -> str:
    """Unique over all workers and restarts, in the shape of a UUID; a random prefix and a counter cost less than uuid4."""
    return f"{_prefix}{next(_numbers):012x}"


def _renew() -> None:
    """Take another prefix: a process that was forked has its parent's, and two records of one id are refused by the database."""
    globals()["_prefix"] = _prefixed()


os.register_at_fork(after_in_child=_renew)
