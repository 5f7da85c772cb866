"""The agent: runs inside the app's own interpreter, migrates the copy, and tells what happens, a JSON line an event.

Standard library and Django, for Python >= 3.8, Django >= 4.2, psycopg 3 and psycopg2; started as `PYTHON DIRECTORY`, it
never imports greenroom. docs/agent-protocol.md is the contract. The rooms, in reading order:

- `__main__`    where it starts: the package under a name of its own
- `events`      what it says
- `guards`      what it closes: sockets, other databases, services
- `settings`    where the app connects
- `planner`     what it is going to run; `operations` describes one step of it
- `session`     its own statements on the app's connection
- `statements`  a statement of the app's, by its text; `server_wide` what changes more than the copy
- `relations`   the copy's tables and indexes, by oid
- `readings`    what a statement left behind: locks, rewrites, scans, WAL
- `watch`       every statement as it runs, and its transactions' ends
- `steps`       migrations and their operations as they begin and end
- `halt`        cutting a run off, for a drill
- `exercise`    what the code does to its tables, tried model by model; `sample` makes rows for it,
  `values` what stands in them; `unknown` says what code does not expect to read
- `origin`      a release's code in its worktree, not that of the checkout beside it
- `shadow`      migration files of another directory, in front of the app's own
- `twin_sql`    what the schema editor ran, said again so that nobody waits; `twin_steps` a migration's operations,
  `twin_bounds` what one holds for those after it, `twin_frames` that in every step, `twin_joining` which can be one,
  `twin_files` the files that come of it
- `failures`    what went wrong, without data
- `dialogue`    standard input, standard output and signals
- `run`         the story of a run
"""
