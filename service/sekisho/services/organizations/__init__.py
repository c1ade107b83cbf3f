"""Organizations: accounts in a tree of units, the policies that restrict them, and what they agree on."""
