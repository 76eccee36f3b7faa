"""Pods in containerd, through the Container Runtime Interface v1. Needs grpcio, which nothing else does."""
