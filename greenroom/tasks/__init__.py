"""The tasks, one file per group; a repository's tasks.py takes them with `from greenroom.tasks import namespace`.

A task parses, calls one function and prints. What is heavy is imported inside the task, so that `inv --list` stays
quick. The heading of a group in that list is its file's docstring up to the first colon.
"""

from __future__ import annotations

from types import ModuleType

from invoke import Collection, Task

from greenroom.postgres.variables import put_aside
from greenroom.tasks import (
    containers,
    copies,
    databases,
    ecs,
    environment,
    image,
    infra,
    rehearse,
    release,
    running,
    snapshots,
)

put_aside()  # before any of them runs, by ./inv or by bare inv

GROUPS = (rehearse, copies, databases, snapshots, environment, image, running, containers, release, ecs, infra)


def add(collection: Collection, group: ModuleType) -> None:
    """Add the tasks that a module defines. Raises ValueError for a name that is taken: Invoke overrides silently."""
    for found in vars(group).values():
        if isinstance(found, Task) and found.body.__module__ == group.__name__:
            for name in (found.name, *found.aliases):
                _refuse_taken(collection, name, group)
            collection.add_task(found)


def _refuse_taken(collection: Collection, name: str, group: ModuleType) -> None:
    name = collection.transform(name)
    if name in collection.tasks:
        owner = collection.tasks[name].body.__module__
        raise ValueError(f"two tasks are called {name}: one in {owner}, one in {group.__name__}")


namespace = Collection()
for _group in GROUPS:
    add(namespace, _group)
