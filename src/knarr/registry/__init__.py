"""One file per verb: runs a kind's rules over the store, and keeps the read cache."""
