"""One file per controller."""
