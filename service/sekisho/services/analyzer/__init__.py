"""Access Analyzer: who outside of an account or organization can reach what is inside, what nobody uses, and what a policy grants."""
