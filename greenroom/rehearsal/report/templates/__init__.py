"""The templates of the HTML and SVG views, and how they are rendered: everything put into them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from greenroom.rehearsal.report import words


@cache
def environment() -> jinja2.Environment:
    """Templates see the figures of `words` as filters; a name that they do not know is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = (words.duration, words.milliseconds, words.size, words.number, words.counted, words.mode, words.cut, words.squeezed)
    made.filters.update({filter_.__name__: filter_ for filter_ in shared})
    return made
