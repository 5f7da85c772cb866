"""How the ledger is set up: the registry of environment variables, the settings, the health views, the way in."""
