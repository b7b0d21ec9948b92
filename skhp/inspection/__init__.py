"""What a training and a search tell: results, pictures, diagnosis, report."""
