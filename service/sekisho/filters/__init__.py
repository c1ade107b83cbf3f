"""Plans as filters of SQL: for the rows of a program that asks, and for those of our own tables."""
