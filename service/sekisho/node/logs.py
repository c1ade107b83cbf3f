"""Logs on standard error: a JSON object a line, or text. Tracebacks have no local variables, among which there would be secrets."""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog


class _Lossy(structlog.WriteLogger):
    """Writes lines to a file. One that it does not take, because its disk is full or its reader has gone, is lost: the threads that keep
    memory new and empty the spool log what goes wrong, and would end of it, and so would the supervisor of all workers.
    """

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: of a file that is closed
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def _text() -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


FORMATS: Mapping[str, Callable[[], structlog.typing.Processor]] = {"json": structlog.processors.JSONRenderer, "text": _text}
LEVELS: Mapping[str, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(form: str = "json", level: str = "info") -> None:
    """Set up logging for the process; the libraries' own come the same way, from warnings on: below, they would log what they are given."""
    renderer = FORMATS[form]()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lossy(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, LEVELS[level]), force=True)
