"""Rules for checkov, which loads them from here: `./inv scan`."""
