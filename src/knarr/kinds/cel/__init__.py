"""CEL, the Common Expression Language, as Kubernetes speaks it: parsed, checked by types, evaluated under a limit."""
