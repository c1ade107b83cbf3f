"""The parameters of the Query protocol: `Tags.member.1.Key=Name`, in the query string or a form, as text and as a tree."""

from urllib.parse import unquote_to_bytes

from sekisho.edges.aws.errors import MalformedQueryString
from sekisho.sigv4 import HttpRequest

MAX_PARAMETERS = 8192
MAX_DEPTH = 32

Tree = dict[str, "Tree | str"]

PROOF = frozenset(
    ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token")
)
_FORM = "application/x-www-form-urlencoded"


def raw(request: HttpRequest) -> tuple[str, str]:
    """Query string and form as they stand; a body of another kind, or beside a GET, has no meaning and is refused."""
    if not request.body:
        return request.query, ""
    kind = (request.header("content-type") or _FORM).partition(";")[0].strip().lower()
    if request.method != "POST" or kind != _FORM:
        raise MalformedQueryString(f"A body is the form of a POST, of the type {_FORM}.")
    try:
        return request.query, request.body.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedQueryString("The form has characters that are not encoded.") from None


def peek(texts: tuple[str, str], name: str) -> str | None:
    """The first value of a parameter that needs no decoding, such as `Action`; costs less than reading them all."""
    prefix = f"{name}="
    for text in texts:
        if text.startswith(prefix):
            return text[len(prefix) :].partition("&")[0]
        if (at := text.find(f"&{prefix}")) >= 0:
            return text[at + 1 + len(prefix) :].partition("&")[0]
    return None


def parameters(request: HttpRequest) -> dict[str, str]:
    """All parameters but those of a presigned URL's proof; one that is given twice is refused, for two readers may choose two values."""
    query, form = raw(request)
    if query.count("&") + form.count("&") > MAX_PARAMETERS:
        raise MalformedQueryString(f"There are more than {MAX_PARAMETERS} parameters.")
    found: dict[str, str] = {}
    for text in (query, form):
        for pair in text.split("&"):
            if not pair:
                continue
            name, _, value = pair.partition("=")
            name = _decoded(name)
            if name in found:
                raise MalformedQueryString(f"The parameter '{name[:64]}' is given twice.")
            found[name] = _decoded(value)
        if text is query and "X-Amz-Signature" in found:  # without it there is no proof here, and nothing may have these names
            for name in PROOF & found.keys():
                del found[name]
    return found


def tree(members: dict[str, str]) -> Tree:
    """The parameters by the parts of their names: `{"Tags": {"member": {"1": {"Key": "Name"}}}}`."""
    root: Tree = {}
    for name, value in members.items():
        node = root
        *path, last = name.split(".")
        if len(path) >= MAX_DEPTH:
            raise MalformedQueryString(f"A parameter's name has more than {MAX_DEPTH} parts.")
        for part in path:
            inner = node.setdefault(part, {})
            if isinstance(inner, str):
                raise MalformedQueryString(f"The parameter '{name[:64]}' is beneath another that has a value.")
            node = inner
        if last in node:
            raise MalformedQueryString(f"The parameter '{name[:64]}' has a value, and others beneath it.")
        node[last] = value
    return root


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise MalformedQueryString("A parameter is not UTF-8.") from None
