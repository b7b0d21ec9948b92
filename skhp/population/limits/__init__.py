"""What limits the training of a population from outside: time for all, and time for a fit."""
