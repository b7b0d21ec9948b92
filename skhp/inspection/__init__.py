"""Results, pictures, diagnosis and report of a training or a search."""
