"""What tests of knarr, and of programs that talk to it, need: shipped with the package."""
