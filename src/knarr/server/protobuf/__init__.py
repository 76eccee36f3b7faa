"""Kubernetes' protobuf form of objects: bodies in, answers and watch events out."""
