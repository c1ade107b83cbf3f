"""The HTTP listener, and the connections that cannot hold it up."""
