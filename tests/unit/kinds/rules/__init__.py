"""What each kind refuses: one table a kind, in a file named as the kind's in `knarr.kinds`."""
