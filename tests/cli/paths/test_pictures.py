"""Pictures of paths: what they say, how large they become, and that no name gets out of its place."""

import base64
import hashlib
import itertools
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from bench import escalation as accounts
from sekisho.analysis.escalation import RULES, Found, Grant, Hop, Path, Place, find
from sekisho.cli.paths import html, svg
from sekisho.cli.paths.clusters import END, clusters
from sekisho.cli.paths.svg import MOST_BOXES, MOST_COLUMNS

SVG = "{http://www.w3.org/2000/svg}"
KEY = next(rule for rule in RULES if rule.name == "iam:CreateAccessKey")
PUT = next(rule for rule in RULES if rule.name == "iam:PutUserPolicy")


def arn(name: str) -> str:
    return f"arn:aws:iam::111122223333:{name}"


def hop(by: str, becomes: str, rule: Any = KEY) -> Hop:
    grant = Grant(rule.demands[0].action, arn(becomes), (Place("identity", "", "own", "", "", 0),))
    return Hop(rule, arn(by), arn(becomes), arn(becomes), (grant,))


def found(*paths: tuple[str, ...], administrators: tuple[str, ...] = ("user/admin",)) -> Found:
    """Paths by the names that are on them, each becoming the next; one that is its own next makes itself what it is."""
    made = [
        Path(arn(path[0]), tuple(hop(one, after, PUT if one == after else KEY) for one, after in itertools.pairwise(path)))
        for path in paths
    ]
    return Found("111122223333", tuple(map(arn, administrators)), tuple(made), 10, 1)


def texts(picture: str) -> list[str]:
    root = ET.fromstring(picture)  # noqa: S314  # our own
    return [str(one.text) for one in root.iter(f"{SVG}text")]


def test_principals_that_do_the_same_are_one_cluster() -> None:
    made = clusters(
        found(
            *((f"user/u{n}", "user/admin") for n in range(5)),
            ("user/self", "user/self"),
            ("role/r", "user/admin"),
            ("user/far", "user/u3", "user/admin"),
            ("user/other", "user/self", "user/self"),
        )
    )
    titles = {one.number: one.title for one in made} | {END: "the end"}
    told = [(one.level, one.title, one.methods, titles[one.to]) for one in made]
    assert told == [
        (1, "5 users", ("iam:CreateAccessKey",), "the end"),
        (1, "role/r", ("iam:CreateAccessKey",), "the end"),
        (1, "user/self", ("iam:PutUserPolicy",), "the end"),
        (2, "user/far", ("iam:CreateAccessKey",), "5 users"),
        (2, "user/other", ("iam:CreateAccessKey",), "user/self"),
    ]


def test_a_session_of_a_certain_name_is_between() -> None:
    """It is nobody's beginning, and has a box of its own, or that of the role which has to be in it."""
    bob = "arn:aws:sts::111122223333:assumed-role/dev/bob"
    first, last = replace(hop("user/a", "role/dev"), becomes=bob), replace(hop("role/dev", "user/admin"), by=bob)
    made = clusters(replace(found(), paths=(Path(arn("role/dev"), (last,)), Path(arn("user/a"), (first, last)))))
    assert [(one.level, one.kind, one.members, one.target) for one in made] == [
        (1, "role", ("role/dev", "assumed-role/dev/bob"), "user/admin"),
        (2, "user", ("user/a",), "assumed-role/dev/bob"),
    ]
    assert (made[0].to, made[1].to) == (END, made[0].number)
    itself = replace(last, becomes=bob)  # in its session it changes what it is permitted
    (alone,) = clusters(replace(found(), paths=(Path(arn("role/dev"), (itself,)),)))
    assert alone.target == ""


def test_who_gives_somebody_permissions_and_has_none_is_no_box() -> None:
    steps = (hop("user/a", "role/helper"), replace(hop("role/helper", "user/a", PUT), by=arn("role/helper")))
    (made,) = clusters(replace(found(), paths=(Path(arn("user/a"), steps),)))
    assert (made.methods, made.target, made.to, made.level) == (("iam:CreateAccessKey", "iam:PutUserPolicy"), "", END, 1)


def test_what_one_does_before_it_is_another_is_one_step() -> None:
    steps = (hop("user/a", "user/a", PUT), hop("user/a", "user/admin"))
    (made,) = clusters(replace(found(), paths=(Path(arn("user/a"), steps),)))
    assert (made.methods, made.target, made.level) == (("iam:PutUserPolicy", "iam:CreateAccessKey"), "user/admin", 1)


def test_a_picture_says_who_does_what() -> None:
    said = texts(svg.drawn(found(("user/ann", "user/admin"), ("user/ben", "user/ann", "user/admin"))))
    assert said == [
        "2 of 10 principals of 111122223333 can become an administrator",
        "A box is of principals that do the same; blue are users, green are roles. Its lines say what they do, and who they are.",
        "there",
        "1 principal away",
        "2 principals away",
        "1 administrator",
        "user/admin",
        "user/ann",
        "iam:CreateAccessKey",
        "→ user/admin",
        "user/ben",
        "iam:CreateAccessKey",
        "→ user/ann",
    ]


def test_a_picture_of_nothing_is_one() -> None:
    assert texts(svg.drawn(found()))[0] == "0 of 10 principals of 111122223333 can become an administrator"
    assert '"paths":[]' in html.drawn(found())


def test_pictures_stay_readable() -> None:
    company = find(accounts.company().estate())
    assert len(company.paths) > 80
    assert accounts.PICTURE.read_text() == svg.drawn(company)  # python -m bench.escalation
    boxes = ET.fromstring(svg.drawn(company)).iter(f"{SVG}rect")  # noqa: S314  # our own
    assert 5 < len(list(boxes)) < 40
    wide = found(*((f"user/u{n}", f"user/admin{n}") for n in range(2000)))
    picture = svg.drawn(wide)
    assert texts(picture)[-2:] == [f"{2000 - MOST_BOXES} more clusters", f"of {2000 - MOST_BOXES} principals"]
    names = [f"user/u{n}" for n in range(300)]
    deep = found(*((*names[n:], "user/admin") for n in reversed(range(300))))
    picture = svg.drawn(deep)
    assert f"{300 - MOST_COLUMNS} principals are further away, and not drawn." == texts(picture)[2]
    assert len(picture) < 20_000
    assert max(len(text) for text in texts(picture)) < 160


HOSTILE = (
    "user/</script><script>alert(1)</script>",
    "user/\"'><img src=x onerror=alert(1)>",
    "user/&amp;<!--",
    "user/]]>\u2028x",
    "user/" + "w" * 300,
)


class Page(HTMLParser):
    """The elements of a page, their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open in ("script", "style"):
            (self.scripts if self.open == "script" else self.styles).append(data)


def test_names_stay_in_their_places() -> None:
    hostile = found(*((name, "user/admin") for name in HOSTILE), administrators=HOSTILE)
    hostile = replace(hostile, left_out=("<b>not</b>",), goal="")
    picture = svg.drawn(hostile)
    assert {one.tag.removeprefix(SVG) for one in ET.fromstring(picture).iter()} == {"svg", "title", "g", "rect", "text", "path"}  # noqa: S314  # our own
    page = Page(html.drawn(hostile))
    usual = Page(html.drawn(found(*((f"user/{n}", "user/admin") for n in range(len(HOSTILE))), administrators=("a",) * len(HOSTILE))))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in usual.elements]
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    data = json.loads(page.scripts[0])
    assert [path["name"] for path in data["paths"]] == list(HOSTILE)


def test_a_page_admits_its_own_script_and_style_alone() -> None:
    page = Page(html.drawn(found(("user/ann", "user/admin"))))
    (policy,) = [attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    hashes = re.findall(r"(script|style)-src 'sha256-([A-Za-z0-9+/=]+)'", policy)
    for kind, hashed in hashes:
        text = page.scripts[1] if kind == "script" else page.styles[0]
        assert base64.b64decode(hashed) == hashlib.sha256(text.encode()).digest()
    assert [kind for kind, _ in hashes] == ["script", "style"]
    assert not any({"src", "href", "style"} & attributes.keys() for _, attributes in page.elements)
    assert "innerHTML" not in page.scripts[1]


def test_a_page_has_every_path_the_shortest_first() -> None:
    page = Page(html.drawn(find(accounts.chain().estate())))
    paths = json.loads(page.scripts[0])["paths"]
    assert (len(paths), len(paths[0]["hops"]), paths[0]["name"]) == (32, 1, "user/u998")
    assert paths[0]["hops"][0]["grants"][0]["by"] == "identity policy inline-u998, statement 1"
