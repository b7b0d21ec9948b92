"""Cohorts and their tasks on the workers of another joblib backend."""
