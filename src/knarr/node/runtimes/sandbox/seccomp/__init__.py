"""Which system calls a container may make: a profile in OCI's words becomes a program for the kernel."""
