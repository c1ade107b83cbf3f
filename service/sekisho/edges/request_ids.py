"""Names of calls, by which a caller, the log and the audit speak of the same one."""

import itertools
import secrets

_text = secrets.token_hex(10)
_prefix = f"{_text[:8]}-{_text[8:12]}-{_text[12:16]}-{_text[16:]}-"
_numbers = itertools.count(1)


def new() -> str:
    """Unique over all workers and restarts, in the shape of a UUID; a random prefix and a counter cost less than uuid4."""
    return f"{_prefix}{next(_numbers):012x}"
