"""The trail: events, the chain that shows what became of them, and how they leave the database."""
