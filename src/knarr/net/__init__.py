"""Cluster DNS, the service proxy and the pod network."""
