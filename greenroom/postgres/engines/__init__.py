"""Copies from engines that scale: clones and restored snapshots in AWS, and whatever a command of yours makes.

- `acquiring`    the one face of all of them: `engine_copy`, and `standing` for what was left behind
- `engine_copy`  what they hand out
- `aurora`       a copy-on-write clone of an Aurora cluster
- `rds`          an RDS instance restored from a snapshot
- `command`      a command that prints a URL, and one that ends the copy (DBLab, Neon and the like)
- `intents`      which commands were run, for the case that we are killed in between
- `tags`         the lease as tags of AWS, and identifiers that AWS takes
- `resources`    clusters, instances and snapshots of RDS: described, and deleted when they bear the lease
- `waiting`      asking AWS until something is ready, or until it lets itself be deleted
- `clones`       from the first call to the last deletion
- `traces`       what bears a lease in AWS
"""
