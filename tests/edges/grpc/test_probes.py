"""Reflection: a stream that lasts gives its thread to the next."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sekisho.edges.grpc import probes


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    """To a server whose reflection streams last for a fifth of a second."""
    server = grpc.server(ThreadPoolExecutor(1))
    made = probes.Probes(["toy.Toy"], server, longest=0.2)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    server.stop(None).wait()
    made.close()


def test_streams_that_say_nothing_are_ended(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    silent = threading.Event()

    def nothing() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        silent.wait(120)
        yield from ()

    held = [stub.ServerReflectionInfo(nothing()) for _ in range(probes.THREADS)]
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    try:
        for answer in stub.ServerReflectionInfo(iter([request]), timeout=60):
            assert [service.name for service in answer.list_services_response.service] == [
                "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection",
                "toy.Toy",
            ]
            break
        for stream in held:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() is grpc.StatusCode.CANCELLED
    finally:
        silent.set()
