"""PostgreSQL: servers of our own, dumps, branches on somebody else's server, and the leases on copies.

- `address`    where a database is: parsed from a URL, printed without its password
- `server`     connecting, what a server is and how it is set
- `binaries`   which PostgreSQL programs are on this machine
- `embedded`   a private server that lives as long as the task
- `archive`    what a dump contains, and restoring it
- `branch`     a copy made on the source's own server
- `lease`      the mark on a copy: who, when, until when
- `journal`    what was about to be created, for the case that its creator was killed
"""
