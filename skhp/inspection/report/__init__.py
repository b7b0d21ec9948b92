"""Pages that say what a search found, to keep and to hand on."""
