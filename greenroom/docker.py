"""The one room of Docker's SDK: a container for as long as a block lasts, and an engine that does not answer."""
