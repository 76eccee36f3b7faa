"""Random lives of a whole cluster on virtual time: what users do and what fails, as data."""
