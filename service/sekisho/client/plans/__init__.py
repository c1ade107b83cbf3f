"""Plans of Authorize's resources in a program: asked for, kept as JSON, put to rows."""
