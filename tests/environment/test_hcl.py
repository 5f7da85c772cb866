from __future__ import annotations

import pytest

from greenroom.environment.hcl import without_comments


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a = 1 # GONE\nb = 2 // GONE\n/* GONE\n GONE */c = 3\n", "a = 1 \nb = 2 \nc = 3\n"),
        ('a = "${var.path}/*" /* GONE */\nb = "/*"\n', 'a = "${var.path}/*" \nb = "/*"\n'),
        ('a = "${local.arns["x"]}/*" # GONE\n', 'a = "${local.arns["x"]}/*" \n'),
        ('a = "${f("//", { "#" = "${k}/*" })}" # GONE\n', 'a = "${f("//", { "#" = "${k}/*" })}" \n'),
        ('a = "{" # GONE\nb = "$${" # GONE\nc = "\\"#" # GONE\n', 'a = "{" \nb = "$${" \nc = "\\"#" \n'),
        (
            "a = <<-END\n  #!/bin/sh\n  ls x/* '\"'\n  END\nb # GONE\n",
            "a = <<-END\n  #!/bin/sh\n  ls x/* '\"'\n  END\nb \n",
        ),
        ("a = <<END\nEND of # x\nEND\nb # GONE\n", "a = <<END\nEND of # x\nEND\nb \n"),
        ("a = 1 < 2 # GONE\n", "a = 1 < 2 \n"),
        ("a = 1 /* GONE", "a = 1 "),
        ("", ""),
    ],
)
def test_without_comments(text: str, left: str) -> None:
    assert without_comments(text) == left
