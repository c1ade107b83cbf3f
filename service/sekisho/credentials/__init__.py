"""What a caller proves itself with: ids, long-term keys, session tokens, bearer tokens. Pure; nothing here knows a table."""
