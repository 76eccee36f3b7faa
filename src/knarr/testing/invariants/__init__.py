"""What always holds of a cluster, as pure predicates over one write and the world before it. One rule a file."""
