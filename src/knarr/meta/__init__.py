"""Names, selectors, quantities, patches, errors, the clock: what every room needs and that needs no room. Pure."""
