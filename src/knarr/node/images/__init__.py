"""Images on this node: stored by content, built from Dockerfiles, loaded from archives."""
