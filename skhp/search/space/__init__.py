"""Search spaces: what a parameter may be, in each of the forms that users write."""
