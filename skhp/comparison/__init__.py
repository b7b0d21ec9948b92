"""Compare estimators to a baseline, with how much of the difference is luck."""
