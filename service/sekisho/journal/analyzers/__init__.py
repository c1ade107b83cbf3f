"""What analyzers look at, what they find, and the scan that looks, beside the calls and outside the change log."""
