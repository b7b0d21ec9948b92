"""The private names and the faults of other libraries that skhp has to know, one file a library."""
