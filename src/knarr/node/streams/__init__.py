"""Exec, attach and port-forward over SPDY and WebSocket."""
