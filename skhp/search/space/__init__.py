"""Search spaces: the values that a parameter may have, in each form that users write."""
