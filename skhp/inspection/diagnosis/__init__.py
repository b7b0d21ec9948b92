"""What the curves of a training and the results of a search say, in words."""
