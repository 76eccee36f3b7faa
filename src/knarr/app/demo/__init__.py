"""`knarr demo`: a StatefulSet's promises, told as a story and checked one by one on a cluster of its own."""
