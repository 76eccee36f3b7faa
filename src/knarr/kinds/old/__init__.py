"""Old API versions: the same objects in the forms of ten years of manifests. One table, one file a family of forms."""
