"""Cases for faults that other tests did not notice."""
