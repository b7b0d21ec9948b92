"""What a network has to beat: the tuned lasso, other models by name, constant answers."""
