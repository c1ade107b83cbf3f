"""The services: a package each, siblings that never import each other; one function an rpc, in a module named by its noun."""
