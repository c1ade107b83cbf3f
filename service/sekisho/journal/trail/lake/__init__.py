"""Event data stores: a part of CloudTrail Lake's SQL, read by sqlglot, over the records that a store may see and nothing else."""
