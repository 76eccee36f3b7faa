"""The sandbox runtime: pods as Linux namespaces over a copy-on-write view of an image's layers."""
