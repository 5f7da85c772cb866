"""The templates of the HTML and SVG views, and how they are rendered: everything put into them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from greenroom.rehearsal.report import words

UNBOUND = 100_000


@cache
def environment(characters: int = UNBOUND) -> jinja2.Environment:
    """Templates see the figures of `words` as filters; a name that they do not know is an error.

    No text that they show is longer than `characters`, whatever stands in the document.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: _bounded(value, characters),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = (words.duration, words.milliseconds, words.share_of, words.size, words.number, words.counted, words.mode)
    made.filters.update({filter_.__name__: filter_ for filter_ in shared})
    return made


def _bounded(value: object, characters: int) -> object:
    """Document texts cut and without control characters; what is markup already stays."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(words.clean, words.cut(value, characters).split("\n")))
