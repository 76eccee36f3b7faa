"""Random workloads: what users do to a cluster, as data drawn from a seed."""
