"""What scikit-learn asks for: the fits of its tasks, planned before the tasks run."""
