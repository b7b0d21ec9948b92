"""Refuses a search that can only fail, before anything is trained."""
