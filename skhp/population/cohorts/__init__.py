"""Which members train in which cohort, and the training of all cohorts."""
