"""The views of a rehearsal document; each reads the document and nothing else.

- `words`      the figures and sentences that all views share: durations, sizes, headline, what users notice, what to do
- `limits`     how much of a long document a view shows, so that it stays under its size
- `timeline`   the lock timeline: lanes and bars as data, drawn as one SVG
- `html`       `report.html`, one file that opens offline
- `markdown`   `report.md`, for a pull request
- `terminal`   the table that a person reads in ten seconds
- `files`      all of them in `<report_dir>/<id>/`, with `latest` pointing there
"""
