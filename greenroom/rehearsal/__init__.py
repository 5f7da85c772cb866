"""A rehearsal: acquire a copy, migrate it while watching, judge what was measured, report, drop the copy.

`command` turns options into a rehearsal, `rehearse` tells its story; the room `agent` runs inside the app's
interpreter, the observer outside; hazards and verdict judge; `document` is what all views are made of.
"""
