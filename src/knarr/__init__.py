"""knarr: a Kubernetes-compatible cluster in one package."""

__version__ = "0.1.0"
KUBERNETES_VERSION = "v1.37.0"
