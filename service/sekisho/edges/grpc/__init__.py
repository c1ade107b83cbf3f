"""The gRPC edge: handlers for every operation of the registry, and how errors are said."""
