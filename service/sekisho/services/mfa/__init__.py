"""MFA devices that AWS's API does not make; a service of our own."""
