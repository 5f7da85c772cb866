"""The views of a rehearsal document; each reads the document and nothing else.

- `words`      the figures and sentences that all views share: durations, sizes, headline, what users notice, what to do
- `limits`     how much of a long document a view shows, so that it stays under its size
- `timeline`   the lock timeline: lanes and bars as data, drawn as one SVG
- `html`       `report.html`, one file that opens offline
- `markdown`   `report.md`, for a pull request
- `marks`      the spans, fences and tables that it is made of, in which nothing of the document is markup
- `github`     commands that put a finding beside its migration's line in a pull request
- `terminal`   the table that a person reads in ten seconds
- `files`      all of them in `<report_dir>/<id>/`, with `latest` pointing there
"""
