"""Accounts: what they are called, whom to reach about them, which regions they use."""
