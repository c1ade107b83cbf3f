"""The data plane: world records in memory, who is calling, and whether it may."""
