"""The gRPC edge: listeners, handlers made from the registry, and the processes that they run in."""
