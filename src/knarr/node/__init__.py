"""The node agent: from a bound pod to running processes, and back to its status."""
