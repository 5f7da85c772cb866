"""Greenroom: rehearse a Django app's pending migrations on a copy of the real data, and judge what was measured.

The rooms, from the outside in (imports go one way, `import-linter` keeps it so):

- `tasks`      one file per group of Invoke tasks: parse, call one function, print
- `rehearsal`  copy, agent (inside the app), observer (outside), hazards, verdict, report
- `postgres`   servers, dumps, branches, leases
- `shell`, `git`, `console`   the only rooms that run programs, ask git, write to the terminal
- `config`     `[tool.greenroom]` of pyproject.toml, checked whole before anything is touched
- `errors`, `secret`   what everybody may use
"""

__version__ = "0.1.0"
