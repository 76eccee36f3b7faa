"""The command line, configuration and wiring: the only room that knows all the others."""
