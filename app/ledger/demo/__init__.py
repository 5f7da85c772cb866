"""Demo data: a shop's database team has rehearsed its migrations for two years. `story` invents, `load` writes."""
