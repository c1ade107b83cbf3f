"""Results of tests as JUnit XML, which continuous integration shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET


def write(path: Path, suites: Mapping[str, Iterable[tuple[str, str, str]]]) -> None:
    """Write the results, by the name of their file: (name, place, what failed or `""`)."""
    root = ET.Element("testsuites", name="sekisho policy test")
    for name, results in suites.items():
        suite = ET.SubElement(root, "testsuite", name=name)
        cases = list(results)
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(bool(failure) for _, _, failure in cases)))
        for story, place, failure in cases:
            file, line, _ = place.rsplit(":", 2)
            case = ET.SubElement(suite, "testcase", name=story, classname=Path(name).name, file=file, line=line)
            if failure:
                ET.SubElement(case, "failure", message=failure.splitlines()[0]).text = failure
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
