"""A release in its own image: the agent in a container that has the image's Python and reaches the copy alone.

`image` finds it, `address` is the copy as the container sees it, `relay` the way there, `container` what is run and
that nothing of it stays; `trial` starts it once before anything is copied.
"""
