"""What stands in AWS: `hook-package`."""

from __future__ import annotations

from invoke import Context, task


@task
def hook_package(_context: Context) -> None:
    """Package the hook that looks at green before it gets traffic, for Terraform: build/hook.zip."""
    from greenroom import config
    from greenroom.infra import hook

    root = config.load().root
    print(f"wrote {hook.package(root).relative_to(root)}")
