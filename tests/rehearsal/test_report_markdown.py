"""The pull request's comment."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from greenroom.rehearsal.report import markdown, marks
from tests.rehearsal import examples


@pytest.mark.parametrize("name", examples.ALL)
def test_comment_is_small_and_balanced(name: str) -> None:
    text = markdown.render(examples.ALL[name]())
    assert len(text.encode()) < 60_000
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert "\x1b" not in text


def test_comment_begins_with_what_matters() -> None:
    assert markdown.render(examples.failed()).splitlines()[:3] == [
        "🔴 **FAIL**  may not go out as it is: readers of ledger_statement would stand still for 5.1 s "
        "(budget 1.0 s)  ",
        "**What users would notice:** Readers of ledger_statement would wait up to 5.1 s, writers of ledger_statement "
        "and 2 more tables up to 5.1 s.  ",
        "**What to do:** Add a second column, write both, fill it in batches, then swap (H24; 3 more findings below).",
    ]


def test_comment_when_nothing_is_pending() -> None:
    assert markdown.render(examples.nothing_pending()).splitlines()[:3] == [
        "🟢 **PASS**  may go out: no migration is pending  ",
        "**What users would notice:** Nothing: no migration is pending.  ",
        "**What to do:** Nothing.",
    ]


def test_comment_tells_the_stalls() -> None:
    text = markdown.render(examples.failed())
    assert "| `ledger_statement` | **5.1 s** | **5.1 s** | measured | 1,000,000 | 182 MB |" in text
    assert "| `ledger_finding` | – | 1.1 s | derived | 210,450 | 41.0 MB |" in text


def test_comment_tells_the_failure() -> None:
    text = markdown.render(examples.broken())
    assert "### Migration failed\n\n- Migration: `ledger.0008_statement_duration_bigint`\n" in text
    assert "- at `ledger/migrations/0008_statement_duration_bigint.py:17` in `forwards`\n" in text
    assert "| `ledger.0009_backfill_outcome` | not run | 0 | – | – | – |" in text


def test_comment_has_the_twin_as_code() -> None:
    assert f"```python\n{examples.INDEX_TWIN}\n```" in markdown.render(examples.failed())


def test_comment_folds_static_hints_and_names_those_that_a_finding_says() -> None:
    text = markdown.render(examples.hinted())
    title = "<b>Static hints</b> 3 by squawk 2.70.0, 2 of them measured as well; squawk could not read 1 statement"
    assert f"<details><summary>{title}</summary>\n\nSaid of the text alone" in text
    where = "`ledger_statement` in `ledger.0008_statement_duration_bigint`"
    assert rf"| `ban-drop-constraint` | {where} | ban-drop-constraint: \`this\` may break clients. |" in text
    assert "Static hints say so too: `squawk: require-concurrent-index-creation`." in text
    assert "| `changing-column-type` |" not in text


@pytest.mark.parametrize("name", examples.ALL)
def test_comment_holds_no_markup_but_its_own(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.render(examples.ALL[name]()))
    everything = [token for block in tokens for token in (block, *(block.children or ()))]
    html = "".join(token.content for token in everything if token.type in ("html_block", "html_inline"))
    assert set(re.findall(r"</?([^\s>]+)", html)) <= {"details", "summary", "b", "code", "sub", "!--"}
    assert {token.type for token in everything if token.type.startswith(("link", "image"))} == set()


def test_hostile_names_stay_in_their_cells() -> None:
    rows = [line for line in markdown.render(examples.monster()).splitlines() if line.startswith("| ``")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 7}  # hints and twins, stalls


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("a``b`c", "```a``b`c```"),
        ("two\nlines", "`two lines`"),
        ("long" * 10, "`longlong…`"),
    ],
)
def test_code_span_holds_anything(text: str, span: str) -> None:
    assert marks.code(text, 9) == span


def test_mentions_call_nobody() -> None:
    rehearsal = examples.warned()
    rehearsal.reasons = ["writers of @everyone and _a_ and #12 would wait"]
    first = markdown.render(rehearsal).splitlines()[0]
    assert first.endswith(r"writers of @<!-- -->everyone and \_a\_ and \#12 would wait  ")


def test_twin_stands_beside_its_migration() -> None:
    text = markdown.render(examples.failed())
    assert "🟢 `ledger.0007_statement_run_index`: The twin passes" in text
    assert "| `ledger_statement` | – | 2.6 s → 4.1 ms |" in text
    assert "⚪ `ledger.0008_statement_duration_bigint`: H24: what avoids it has to be thought out." in text
