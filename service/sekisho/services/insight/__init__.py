"""What follows from an account's policies and its trail; a service of our own."""
