"""A revisioned log of bytes and its drivers. Knows nothing of Kubernetes."""
