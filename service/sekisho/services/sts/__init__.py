"""Temporary credentials, as AWS STS (2011-06-15) has them."""
