"""Ways by which somebody with few permissions has got many, as they are published for AWS, and what closes each."""
