"""HTTP: who are you, may you, and the bytes of every answer."""
