"""The journal of a search: finished fits are kept, and found by the next run."""
