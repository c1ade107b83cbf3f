"""The trail: its records as events, their chains, and what is made of them."""
