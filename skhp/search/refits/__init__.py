"""What a search trains on all rows, once it has scored its candidates."""
