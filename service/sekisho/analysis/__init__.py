"""Analyses of policies, asked beside decisions: reads records and documents, and touches no store, clock or network."""
