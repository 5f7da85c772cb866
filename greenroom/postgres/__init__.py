"""PostgreSQL: servers of our own, dumps, branches on somebody else's server, and the leases on copies.

- `address`    where a database is: parsed from a URL, printed without its password
- `server`     connecting, what a server is and how it is set
- `binaries`   which PostgreSQL programs are on this machine
- `places`     where data directories, templates and the journal lie
- `account`    as whom PostgreSQL's programs run: they refuse root
- `cluster`    data directories: made, set up, removed
- `embedded`   a private server that lives as long as the task
- `containers` a server in a container of an image of PostgreSQL
- `snapshots`  restored copies that are kept, stopped and pristine
- `toc`        the table of contents of an archive, read by ourselves
- `archive`    what a dump is, and whether it can be restored here
- `restoring`  pg_restore, from a file or from a pipe of pg_dump
- `branch`     a database beside another one, with its settings and privileges
- `roles`      owners, stand-ins for missing ones, and the role that migrates
- `analysis`   VACUUM and ANALYZE of a fresh copy
- `masking`    rules for columns that nobody may read on a copy; tables whose rows stay where they are
- `passwords`  where a target's password comes from, under the server's real name
- `room`       is there enough disk?
- `lease`      the mark on a copy: who, when, until when
- `journal`    what was about to be created, for the case that its creator was killed
- `holding`    a copy from the intent to make it until it is gone
- `inventory`  which copies stand on a server
- `engines`    copies that an engine makes: Aurora, RDS, a command of yours
"""
