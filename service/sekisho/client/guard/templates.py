"""ARN templates: `arn:aws:orders:eu-west-1:{account}:order/{order_id}`.

`{account}` is the account of the guarded service itself, everything else a field of the request. A value fills a field only if it cannot
be taken for more of the ARN than the field: without `:`, `/`, `*`, `?`, white space and control characters, and neither `.` nor `..`.
`{key+}` takes `:` and `/` too, and stands in the last segment alone.
"""

import re
from dataclasses import dataclass

from sekisho import arn
from sekisho.client.decisions import Value
from sekisho.client.guard.fields import Unreadable
from sekisho.errors import InvalidArn

ACCOUNT = "account"
NAME = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_FIELD = re.compile(rf"\{{({NAME})(\+?)\}}")
_ONE = re.compile(r"[^\s\x00-\x1f\x7f:/*?]+")
_MANY = re.compile(r"[^\s\x00-\x1f\x7f*?]+")


@dataclass(frozen=True, slots=True)
class Template:
    """A template, read once: what stands before each field and after the last, and the fields' names; `+` of each is in `wide`."""

    texts: tuple[str, ...]
    names: tuple[str, ...]
    wide: tuple[bool, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the request that it needs, each once."""
        return tuple(dict.fromkeys(name for name in self.names if name != ACCOUNT))

    @property
    def needs_account(self) -> bool:
        """Whether it names the service's own account."""
        return ACCOUNT in self.names

    def fill(self, values: dict[str, Value]) -> str:
        """The ARN; Unreadable when a value does not fit."""
        parts = [self.texts[0]]
        for name, wide, text in zip(self.names, self.wide, self.texts[1:], strict=True):
            parts += (_fitting(name, values[name], _MANY if wide else _ONE), text)
        filled = "".join(parts)
        if len(filled) > arn.MAX_LENGTH:
            raise Unreadable(f"the resource's ARN is longer than {arn.MAX_LENGTH} characters")
        return filled


def _fitting(name: str, value: Value, allowed: re.Pattern[str]) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(f"the field `{name}` is not one string or integer")
    text = str(value)
    if allowed.fullmatch(text) is None or any(part in (".", "..") for part in text.split("/")):
        raise Unreadable(f"the field `{name}` is not a name that can stand in an ARN")
    return text


def parse(template: str) -> Template:
    """Read a template, or raise ValueError that says what is wrong; `*` stands for actions without a resource."""
    pieces = _FIELD.split(template)
    texts, names, plus = pieces[0::3], pieces[1::3], pieces[2::3]
    for text in texts:
        if "{" in text or "}" in text:
            raise ValueError(f"`{template}`: a field is written {{name}}, {{name.of.a.member}} or {{name+}}")
    if template != "*":
        try:
            parsed = arn.parse(_FIELD.sub("x", template))
        except InvalidArn:
            raise ValueError(f"`{template}` is not an ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE) and not `*`") from None
        if "*" in str(parsed) or "?" in str(parsed):
            raise ValueError(f"`{template}`: a question is about one resource, so its ARN has no wildcards")
    for index, (name, wide) in enumerate(zip(names, plus, strict=True)):
        if wide and (name == ACCOUNT or "".join(texts[: index + 1]).count(":") < 5):
            raise ValueError(f"`{template}`: {{{name}+}} stands after the fifth colon alone")
    return Template(tuple(texts), tuple(names), tuple(mark == "+" for mark in plus))
