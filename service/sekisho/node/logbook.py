"""The decision log of a worker, as the options say."""

from collections.abc import Iterator
from contextlib import contextmanager

from sekisho.errors import InvalidArgument
from sekisho.journal import decision_log
from sekisho.journal.decision_log import DecisionLog
from sekisho.node import telemetry
from sekisho.node.options import Options

OTLP = "otlp"


def refuse_unusable(options: Options) -> None:
    """Raise what is wrong with the log before a worker is started."""
    if options.decision_log == OTLP:
        if not telemetry.asked(options):
            raise InvalidArgument("--decision-log otlp needs a collector; give --otel-endpoint")
    elif options.decision_log:
        decision_log.Lines(options.decision_log)


@contextmanager
def logged(options: Options, index: int) -> Iterator[DecisionLog | None]:
    """The log of worker number `index`, while the block runs; None when none is asked for."""
    if not options.decision_log:
        yield None
        return
    if options.decision_log == OTLP:
        made = DecisionLog(telemetry.sink(options, index), options.decision_log_level)
    else:
        made = decision_log.lines(options.decision_log, options.decision_log_level)
    try:
        yield made
    finally:
        made.close()
