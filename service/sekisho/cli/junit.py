"""Results of tests as JUnit XML, which continuous integration shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET


def write(path: Path, suites: Mapping[str, Iterable[tuple[str, str, str]]], *, name: str = "sekisho policy test") -> None:
    """Write the results, by the name of their file: (name, place, what failed or `""`); `name` is the command's."""
    root = ET.Element("testsuites", name=name)
    for tested, results in suites.items():
        suite = ET.SubElement(root, "testsuite", name=tested)
        cases = list(results)
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(bool(failure) for _, _, failure in cases)))
        for story, place, failure in cases:
            file, line, _ = place.rsplit(":", 2)
            case = ET.SubElement(suite, "testcase", name=story, classname=Path(tested).name, file=file, line=line)
            if failure:
                ET.SubElement(case, "failure", message=failure.splitlines()[0]).text = failure
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
