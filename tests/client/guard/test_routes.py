"""Routes: which rule a path is under, and that no path is under two by accident."""

import pytest

from sekisho.client.guard import routes


def table(*templates: str) -> routes.Routes[str]:
    return routes.Routes(("GET", routes.parse(text), text) for text in templates)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/orders", ("/orders", {})),
        ("/orders/7", ("/orders/{order_id}", {"order_id": "7"})),
        ("/orders/mine", ("/orders/mine", {})),
        ("/orders/7/ship", ("/orders/{order_id}/ship", {"order_id": "7"})),
        ("/files/a/b/c", ("/files/{key:path}", {"key": "a/b/c"})),
        ("/files/a", ("/files/{key:path}", {"key": "a"})),
        ("/", None),
        ("", None),
        ("orders", None),
        ("/orders/", None),
        ("/orders//ship", None),
        ("/orders/7/", None),
        ("//orders", None),
        ("/Orders", None),
        ("/files", None),
        ("/files/", None),
        ("/orders/7/ship/now", None),
    ],
)
def test_paths(path: str, found: object) -> None:
    made = table("/orders", "/orders/mine", "/orders/{order_id}", "/orders/{order_id}/ship", "/files/{key:path}")
    assert made.find("GET", path) == found
    assert made.find("POST", path) is None


@pytest.mark.parametrize(
    "templates",
    [
        ("/orders/{order_id}", "/orders/mine"),
        ("/orders/{a}", "/orders/{b}"),
        ("/orders/{a}/x", "/orders/y/{b}"),
        ("/files/{key:path}", "/files/a"),
        ("/files/{key:path}", "/files/a/b"),
        ("/files/{key:path}", "/files/{name}"),
        ("/{a}/x/{k:path}", "/y/{b}/c"),
    ],
    ids=" ".join,
)
def test_two_routes_for_one_path_are_refused(templates: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="match the same path"):
        table(*templates)


@pytest.mark.parametrize(
    "templates",
    [("/orders/mine", "/orders/{a}"), ("/files/a/b", "/files/{key:path}"), ("/files/{a}", "/files/{key:path}"), ("/a/{x}", "/b/{x}")],
    ids=" ".join,
)
def test_the_narrower_stands_first(templates: tuple[str, ...]) -> None:
    made = table(*templates)
    for text in templates:
        found = made.find("GET", text.replace(":path", "").replace("{", "").replace("}", ""))
        assert found is not None


@pytest.mark.parametrize("text", ["orders", "/orders/{}", "/orders/{a}b", "/orders/{a", "/{a}/{a}", "/{key:path}/x", "/{n:int}", "/{a-b}"])
def test_a_wrong_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"parameter|slash"):
        routes.parse(text)
