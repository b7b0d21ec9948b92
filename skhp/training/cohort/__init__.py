"""Training of the members of a cohort, all at once."""
