"""The kinds: one file each, with what makes an object of the kind valid, default and printable. Pure."""
