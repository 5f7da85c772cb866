"""Functional tests against the app that runs, from outside: what a visitor, a load balancer and a browser would see.

- `site`      asks the app: one origin, cookies, no redirect followed
- `page`      what a page refers to: links, forms, static files
- `checks`    what is held against it without being a member
- `member`    log-in, what members see, log-out; only with a user that the environment names
- `suite`     all of them in their order, and the table
- `browser`   one flow in a real Chromium, by Playwright

All but `browser` is the standard library alone, and imports nothing else of ours: `python -m greenroom.smoke URL` runs
anywhere, as in the hook that looks at green before it gets traffic. Without a log-in nothing is written there.
"""
