"""From a file to columns and a target."""
