"""Private names and faults of other libraries that skhp depends on, one file per library."""
