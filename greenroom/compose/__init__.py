"""The project's containers on this machine, as its compose.yaml describes them: through `docker compose`.

- `project`   the commands, what compose.yaml says when it is read whole, and how the containers are
- `refusals`  ports that are taken, profiles that there are not, an engine that does not run
- `images`    whether they are there, and whether the code has changed since
- `starting`  `up`: started, and waited for until all are healthy
- `bastion`   throw-away keys for an sshd among them, and the ssh_config that leads through it
- `members`   an admin user and a little demo data for the app that runs
"""
