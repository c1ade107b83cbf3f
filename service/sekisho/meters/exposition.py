"""The numbers of all workers as Prometheus reads them: counters and histograms summed, gauges and ages of each worker by its number."""

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from sekisho.meters.metrics import FAMILIES, Age, Counter, Family, Gauge, Histogram
from sekisho.meters.sheet import SHEET

CONTENT_TYPE: str = prometheus_client.CONTENT_TYPE_LATEST
WORKER = "worker"
"""The label of what is each worker's own."""

Values = dict[tuple[str, ...], list[float]]
"""The numbers of a metric by the values of its labels."""


def page() -> bytes:
    """The page `/metrics`."""
    return prometheus_client.generate_latest(_REGISTRY)


def summed(names: Iterable[str], *, worker: str = "") -> dict[str, Values]:
    """The numbers of these metrics, of all workers or of one; those of gauges and ages have the number of their worker as a last label."""
    found: dict[str, Values] = {name: {} for name in names}
    for counted_by, (name, labels), numbers in SHEET.read():
        values = found.get(name)
        if values is None or (worker and worker != counted_by):
            continue  # also of a module that this process has not loaded
        if isinstance(FAMILIES[name], Gauge | Age):
            values[*labels, counted_by] = list(numbers)
        elif labels in values:
            values[labels] = [before + more for before, more in zip(values[labels], numbers, strict=True)]
        else:
            values[labels] = list(numbers)
    return found


def read(page: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """The labels and the number of each sample of a metric in the page of another node; ValueError of what is not such a page."""
    for family in text_string_to_metric_families(page):
        if family.name == name:
            for sample in family.samples:
                yield dict(sample.labels), sample.value


class _Workers(Collector):
    """What every worker has counted."""

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        families = dict(FAMILIES)
        for name, values in summed(families).items():
            yield _shown(families[name], values)


def _shown(family: Family[Any], values: Values) -> Metric:
    if isinstance(family, Counter):
        counter = CounterMetricFamily(family.name, family.documentation, labels=family.label_names)
        for labels, numbers in values.items():
            counter.add_metric(labels, numbers[0])
        return counter
    if isinstance(family, Histogram):
        histogram = HistogramMetricFamily(family.name, family.documentation, labels=family.label_names)
        for labels, (total, *counts) in values.items():
            histogram.add_metric(labels, list(_cumulative(family.bounds, counts)), total)
        return histogram
    gauge = GaugeMetricFamily(family.name, family.documentation, labels=(*family.label_names, WORKER))
    now = time.monotonic()
    for labels, numbers in values.items():
        if not math.isnan(numbers[0]):
            gauge.add_metric(labels, max(0.0, now - numbers[0]) if isinstance(family, Age) else numbers[0])
    return gauge


def _cumulative(bounds: Iterable[float], counts: Iterable[float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*bounds, math.inf), counts, strict=True):
        total += count
        yield "+Inf" if bound == math.inf else repr(bound), total


_REGISTRY = prometheus_client.CollectorRegistry(auto_describe=False)
_REGISTRY.register(_Workers())
