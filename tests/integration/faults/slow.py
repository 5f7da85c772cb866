"""Slow stand-ins for what is quick: a function that an index or a check calls, a program, a part of Python."""

# waits in copies only: in the source's own database it costs nothing
SLOW = """
CREATE FUNCTION public.slow(n int, seconds float) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$BEGIN IF current_database() <> '{name}' AND seconds > 0 THEN PERFORM pg_sleep(seconds); END IF; RETURN n; END$$;
"""

SLOW_CP = """#!/bin/sh
{cp} "$@" || exit
case "$*" in *.making-*) touch {copied}; exec sleep {seconds} ;; esac
"""
# a server's directory has its stop words
SLOW_RMTREE = """
import os, shutil, time
removed = shutil.rmtree
def rmtree(path, *args, **kwargs):
    if os.path.exists(os.path.join(path, "stop")):
        open({removing!r}, "w").close()
        while not os.path.exists({flag!r}):
            time.sleep(0.05)
    return removed(path, *args, **kwargs)
shutil.rmtree = rmtree
"""
