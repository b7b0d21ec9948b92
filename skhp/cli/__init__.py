"""The command ``skhp``."""

from skhp.cli.command import main

__all__ = ["main"]
