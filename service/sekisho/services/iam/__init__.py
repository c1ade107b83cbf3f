"""Identities and their policies, as AWS IAM (2010-05-08) has them: one function an rpc, in a module named by its noun."""
