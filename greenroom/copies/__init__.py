"""Copies of the data: where they come from, and how they are let go again.

`acquiring` is the one door: `acquire(request, progress)`. Behind it a room for each source: `demo`, `dumps` (an
archive), `pulls` (a target, restored here), `branches` (beside the source, on its own server), `clones` (engines that
scale; `strangers` is what they may not hand out). `reach` says how a target is reached, `roads`
how its rows come here, `servers` where a copy is restored, `migrator` as which role it is migrated.
"""
