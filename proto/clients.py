"""Writes a typed client class for each service: `IamService` of `sekisho.api.iam.v1` becomes `sekisho.api.iam.v1.client.IamClient`.

hatch_build.py runs this after the compiler. The classes hold no logic: each method builds its request from keyword arguments and hands
it to a `Call`, which sekisho.client provides. They are text, so that type checkers and editors see every argument of every rpc.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

HEAD = '"""Made from proto/ by hatch_build.py; edits are lost."""\n'

CALLS = f"""{HEAD}
from collections.abc import Iterator
from typing import Protocol, TypeVar

from google.protobuf.message import Message

R = TypeVar("R", bound=Message)


class Call(Protocol):
    \"\"\"Carries a request to the rpc at `path`; `timeout` in seconds, `repeatable` when a second arrival changes nothing.\"\"\"

    def __call__(self, path: str, request: Message, response: type[R], /, *, timeout: float | None, repeatable: bool) -> R: ...


class AsyncCall(Protocol):
    \"\"\"A `Call` that is awaited.\"\"\"

    async def __call__(self, path: str, request: Message, response: type[R], /, *, timeout: float | None, repeatable: bool) -> R: ...


class Stream(Protocol):
    \"\"\"Carries a request to the rpc at `path`, which answers with a stream; `timeout` in seconds is for all of it, None: no limit.\"\"\"

    def stream(self, path: str, request: Message, response: type[R], /, *, timeout: float | None) -> Iterator[R]: ...


class Calls(Call, Stream, Protocol):
    \"\"\"Both, for services that stream.\"\"\"
"""

_TYPES = {
    FieldDescriptor.CPPTYPE_STRING: "str",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
    FieldDescriptor.CPPTYPE_UINT64: "int",
    FieldDescriptor.CPPTYPE_ENUM: "int",
}
_REPEATABLE = (1, 3)  # READ and DECIDE of annotations.v1.Access.Level


def modules(compiled: bytes, snake: Callable[[str], str]) -> Iterator[tuple[PurePosixPath, str]]:
    """The files to write, by their path in the package; `compiled` is a FileDescriptorSet with imports and source info.

    `snake` names a method after its rpc, as the server names its function.
    """
    files = descriptor_pb2.FileDescriptorSet.FromString(compiled)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    yield PurePosixPath("sekisho/api/calls.py"), CALLS
    for file in files.file:
        if file.service and file.package.startswith("sekisho.api."):
            writer = _Writer(pool, pool.FindFileByName(file.name), _comments(file), snake)
            text = writer.module()
            yield PurePosixPath(file.name).with_name("client.py"), text
            yield PurePosixPath(file.name).with_name("aio.py"), awaited(text)


def awaited(text: str) -> str:
    """The module of a client whose calls are awaited: `AsyncIamClient` for `IamClient`, with those methods that make a `Call`."""
    head, *methods = text.split("\n    def ")
    head = re.sub(r"import Calls?\n", "import AsyncCall\n", head.replace("\nclass ", "\nclass Async"))
    start = "\n    def __init__(self, call: AsyncCall) -> None:\n        self._call = call\n"
    calls = [method for method in methods if "return self._call(" in method]
    return head + start + "".join(f"\n    async def {method.replace('return self._call(', 'return await self._call(')}" for method in calls)


def _comments(file: descriptor_pb2.FileDescriptorProto) -> Mapping[tuple[int, ...], str]:
    """What stands above each element, by its path in the descriptor."""
    return {tuple(location.path): location.leading_comments.strip() for location in file.source_code_info.location}


class _Writer:
    def __init__(
        self,
        pool: descriptor_pool.DescriptorPool,
        file: FileDescriptor,
        comments: Mapping[tuple[int, ...], str],
        snake: Callable[[str], str],
    ) -> None:
        self._pool, self._file, self._comments, self._snake = pool, file, comments, snake
        self._modules: set[tuple[str, str]] = set()

    def module(self) -> str:
        """The text of the module."""
        (service,) = self._file.services_by_name.values()
        name = service.name.removesuffix("Service") + "Client"
        methods = "".join(self._method(index, method) for index, method in enumerate(service.methods))
        streams = any(method.server_streaming for method in service.methods)
        call, iterators = ("Calls", "Iterable, Iterator, Mapping") if streams else ("Call", "Iterable, Mapping")
        imports = "".join(f"from {package} import {module}\n" for package, module in sorted(self._modules))
        return (
            f"{HEAD}\nimport datetime\nfrom collections.abc import {iterators}\nfrom typing import Any\n\n"
            f"{imports}\nfrom sekisho.api.calls import {call}\n\n\n"
            f"class {name}:\n{_docstring(self._comments.get((6, 0), name), 4)}\n"
            f"    def __init__(self, call: {call}) -> None:\n        self._call = call\n{methods}"
        )

    def _method(self, index: int, method: MethodDescriptor) -> str:
        request, response = self._name(method.input_type), self._name(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        fields = sorted(method.input_type.fields, key=lambda field: not self._required(field))
        if any(field.name in ("timeout", "self") for field in fields):
            raise SystemExit(f"{method.input_type.full_name} has a field that its client method cannot have as an argument")
        arguments = "".join(f"        {self._argument(field)},\n" for field in fields)
        given = ", ".join(f"{field.name}={field.name}" for field in fields)
        access = self._options(method.GetOptions(), "google.protobuf.MethodOptions", "access")
        carried, answered, repeated = "self._call", response, f"            repeatable={access.level in _REPEATABLE},\n"
        if method.server_streaming:
            carried, answered, repeated = "self._call.stream", f"Iterator[{response}]", ""
        return (
            f"\n    def {self._snake(method.name)}(\n        self,\n        *,\n{arguments}        timeout: float | None = None,\n"
            f"    ) -> {answered}:\n"
            f"{_docstring(self._comments.get((6, 0, 2, index), method.name), 8)}"
            f"        return {carried}(\n            {path!r},\n            {request}({given}),\n            {response},\n"
            f"            timeout=timeout,\n{repeated}        )\n"
        )

    def _argument(self, field: FieldDescriptor) -> str:
        return f"{field.name}: {self._type(field)}" if self._required(field) else f"{field.name}: {self._type(field)} | None = None"

    def _type(self, field: FieldDescriptor) -> str:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            return f"Mapping[{self._type(key)}, {self._type(value)}]"
        return f"Iterable[{self._one(field)}]" if field.is_repeated else self._one(field)

    def _one(self, field: FieldDescriptor) -> str:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return "bytes"
        if field.message_type is None:
            return _TYPES[field.cpp_type]
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return f"{self._name(field.message_type)} | datetime.datetime"
        return f"{self._name(field.message_type)} | Mapping[str, Any]"

    def _name(self, message: Descriptor) -> str:
        """A message's class as the module writes it; notes the import."""
        path = PurePosixPath(message.file.name)
        module = f"{path.stem}_pb2"
        self._modules.add((".".join(path.parent.parts), module))
        return f"{module}.{message.name}"

    def _required(self, field: FieldDescriptor) -> bool:
        rules = self._options(field.GetOptions(), "google.protobuf.FieldOptions", "rules")
        return bool(rules.required)

    def _options(self, options: Message, type_name: str, extension: str) -> Any:
        """An option of ours: parsed again with the pool's own classes, since our annotations are compiled only now."""
        parsed: Any = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(type_name)).FromString(options.SerializeToString())
        return parsed.Extensions[self._pool.FindExtensionByName(f"sekisho.api.annotations.v1.{extension}")]


def _docstring(comment: str, indent: int) -> str:
    lines = [line.strip() for line in comment.replace("\\", "\\\\").splitlines()]
    closing = "\n" if len(lines) > 1 else ""
    return textwrap.indent(f'"""{chr(10).join(lines)}{closing}"""\n', " " * indent)
