"""One API over every connectomics volume store."""
