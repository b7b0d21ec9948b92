"""What must be the same for a search to go on from what an earlier one has finished."""
