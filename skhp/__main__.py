"""``python -m skhp`` is the command ``skhp``."""

from skhp.cli import main

raise SystemExit(main())
