"""What /metrics shows, read as Prometheus reads it."""

from collections.abc import Iterator
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from sekisho.meters import exposition

Sample = tuple[str, dict[str, str], float]


def page(text: str) -> list[Sample]:
    """Every sample of a page."""
    return [(sample.name, sample.labels, sample.value) for family in text_string_to_metric_families(text) for sample in family.samples]


def server(address: str) -> list[Sample]:
    """Every sample of a server's page; `address` is HOST:PORT."""
    with urlopen(f"http://{address}/metrics", timeout=60) as answer:  # of a server of our own
        return page(answer.read().decode())


def values(samples: list[Sample], name: str, **labels: str) -> Iterator[float]:
    """The values of the samples of a name that have these labels, among others."""
    return (value for found, others, value in samples if found == name and labels.items() <= others.items())


def value(name: str, **labels: str) -> float:
    """The sum of these samples in this process."""
    return sum(values(page(exposition.page().decode()), name, **labels))
