"""The format of a file: a zip archive of strict JSON and plain arrays, and nothing else."""
