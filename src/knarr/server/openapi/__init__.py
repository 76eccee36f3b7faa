"""OpenAPI documents: v2 in JSON and protobuf, v3 by group version. Built when first asked for, then kept."""
