"""The API client over its transports, informers and their caches."""
