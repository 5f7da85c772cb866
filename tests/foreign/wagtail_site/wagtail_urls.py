"""No pages: the site is there for its migrations."""

from __future__ import annotations

urlpatterns: list[object] = []
