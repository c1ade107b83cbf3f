"""The metrics of one worker over OTLP: what `/metrics` shows of it, under the same names.

Of a histogram OpenTelemetry takes no buckets that somebody else has counted, so its sum and its count are told as two counters.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

import sekisho
from sekisho import meters
from sekisho.meters import exposition

Read = Callable[[list[float]], float]


def provider(endpoint: str | None, resource: Resource, worker: str) -> MeterProvider:
    """A provider that exports the numbers of this worker, each minute or as often as OTEL_METRIC_EXPORT_INTERVAL says."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint))
    made = MeterProvider([reader], resource, shutdown_on_exit=False)
    meter = made.get_meter("sekisho", sekisho.__version__)
    for family in list(meters.FAMILIES.values()):
        if isinstance(family, meters.Counter):
            meter.create_observable_counter(family.name, [_told(family, worker, _first)], description=family.documentation)
        elif isinstance(family, meters.Histogram):
            meter.create_observable_counter(f"{family.name}_sum", [_told(family, worker, _first)], description=family.documentation)
            meter.create_observable_counter(f"{family.name}_count", [_told(family, worker, _count)], description=family.documentation)
        else:
            read = _age if isinstance(family, meters.Age) else _first
            meter.create_observable_gauge(family.name, [_told(family, worker, read)], description=family.documentation)
    return made


def _told(family: Any, worker: str, read: Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observations(_: CallbackOptions) -> Sequence[Observation]:
        found = exposition.summed([family.name], worker=worker)[family.name].items()
        return [
            Observation(read(numbers), dict(zip(family.label_names, labels, strict=False)))
            for labels, numbers in found
            if not math.isnan(numbers[0])
        ]

    return observations


def _first(numbers: list[float]) -> float:
    return numbers[0]


def _count(numbers: list[float]) -> float:
    return sum(numbers[1:])


def _age(numbers: list[float]) -> float:
    return max(0.0, time.monotonic() - numbers[0])
