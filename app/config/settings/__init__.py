"""`base` holds what never differs; `prod` serves in both containers, `test` in plain Python."""
