"""The Query protocol: parameters in, XML out. Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html"""

from typing import Any

from google.protobuf.message import Message

from sekisho.edges.aws import faults, form, parameters, presence, xml
from sekisho.edges.aws.shapes import Pairing
from sekisho.edges.aws.wire import Answer, Codec, Fail
from sekisho.errors import SekishoError
from sekisho.operations import Operation
from sekisho.sigv4 import HttpRequest

KIND = b"text/xml"
_ROUTING = ("Action", "Version")


class Protocol:
    """The codecs of one service."""

    def __init__(self, model: Any) -> None:
        self._pairing, self._readers, self._writers = Pairing(), parameters.Readers(), xml.Writers()
        self._namespace = str(model.metadata.get("xmlNamespace", ""))
        self.fail: Fail = failing(faults.Faults(model, faults.QUERY), self._namespace)

    def codec(self, model: Any, operation: Operation) -> Codec:
        """The codec of one operation."""
        reader = self._readers.structure(self._pairing.structure(model.input_shape, operation.request.DESCRIPTOR))
        answered = self._pairing.structure(model.output_shape, operation.response.DESCRIPTOR)
        writer = self._writers.structure(answered, presence.of(model.service_model.service_name, model.name), top=True)
        wrapper = model.output_shape.serialization.get("resultWrapper", f"{model.name}Result") if model.output_shape is not None else ""
        start = f'<{model.name}Response xmlns="{self._namespace}">' + (f"<{wrapper}>" if wrapper else "")
        end = (f"</{wrapper}>" if wrapper else "") + "<ResponseMetadata><RequestId>"
        close = f"</RequestId></ResponseMetadata></{model.name}Response>"

        def read(request: HttpRequest) -> Message:
            members = form.parameters(request)
            for name in _ROUTING:
                members.pop(name, None)
            message = operation.request()
            reader(form.tree(members), message, "")
            return message

        def write(message: Message, request_id: str) -> Answer:
            out = [start]
            writer(message, out.append)
            out += (end, request_id, close)
            return Answer(200, KIND, "".join(out).encode())

        return Codec(read, write)


def failing(known: faults.Faults, namespace: str) -> Fail:
    """Errors as the Query protocol says them."""
    attribute = f' xmlns="{namespace}"' if namespace else ""

    def fail(error: SekishoError, request_id: str) -> Answer:
        fault = known.of(error)
        kind = "Sender" if fault.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse{attribute}><Error><Type>{kind}</Type><Code>{xml.escape(fault.code)}</Code>"
            f"<Message>{xml.escape(fault.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Answer(fault.status, KIND, body.encode())

    return fail
