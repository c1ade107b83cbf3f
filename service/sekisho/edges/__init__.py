"""The ways in: gRPC, HTTP, and the AWS protocols over it; and the threads that calls run in."""
