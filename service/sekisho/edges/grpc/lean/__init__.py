"""gRPC over a listener of our own: unary calls, read and answered by the one thread that polls the sockets, without grpcio's core."""
