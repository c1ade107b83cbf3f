"""A call on its way through the house: who calls, what it may do, and the pipeline that every operation runs in."""
