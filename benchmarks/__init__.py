"""Measurements: `python -m benchmarks NAME`. Each can also run against any cluster with --kubeconfig."""
