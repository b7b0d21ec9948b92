"""What is wrong with a search, said before anything is trained."""
