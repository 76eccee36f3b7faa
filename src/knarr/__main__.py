"""`python -m knarr`."""

from knarr.app.cli import main

main()
