"""CloudTrail: trails, event data stores, and the events they are about. `errors.py` has the codes, `names.py` what things are called."""
