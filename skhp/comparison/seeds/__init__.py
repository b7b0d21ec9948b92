"""`skhp.repeat`: trainings of one estimator that differ in the seed."""
