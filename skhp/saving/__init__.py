"""Saving of estimators without pickle, and loading of files that nobody vouches for."""
