"""The runtimes: simulated, sandbox, containerd behind one interface."""
