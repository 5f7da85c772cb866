"""docs/environment.md and .env.example, made from the registry; a test and `env-check` hold them fresh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from greenroom.environment.registry import KINDS, Registry, Variable, written
from greenroom.errors import GreenroomError

PAGE = Path("docs/environment.md")
EXAMPLE = Path(".env.example")
WIDTH = 120

_PAGE = """\
# Environment variables

Generated from the registry, `{registry}`, by `./inv env-docs`. Before you add a variable, look for one to
reuse: `./inv env-find WORD`. A new one is declared in the registry and nowhere else; then run `./inv env-docs` and
`./inv env-check`.

| environment | settings | values come from |
|---|---|---|
| production: AWS container | `config.settings.prod` | SSM, except {task_definition} from the task definition |
| test: Docker container | `config.settings.prod` | compose |
| test: plain Python | `config.settings.test` | defaults and the shell |

With `DJANGO_READ_SSM_PARAMS=true` the app reads at its start, once and decrypted, every parameter below
`DJANGO_SSM_PARAMS_PATH`; each bears the name of its variable. What the container's own environment sets is not taken
from SSM. Other parameters there are warned of in the log. When anything is missing or malformed, all of it is named and
the process ends before it serves. A changed parameter is seen by the next deployment.

An empty value counts as not set. One that begins or ends with a blank, has a line break or an invisible character (a
byte order mark, a no-break space, a control character) is refused, by the app and the tasks below: `aws ssm
put-parameter --value file://...` takes a file's last line break for a part of the value, and text that is pasted from a
document may bring others along. The joiners within emoji and letters beyond ASCII are let be.
Everybody is logged out by the next deployment after `DJANGO_SECRET_KEY` has changed in SSM, if only by a trimmed blank.

`./inv env-check` looks at the app's code too, without running it. Beside the registry it refuses `os.environ`,
`os.getenv` and `os.path.expandvars` under whatever name, click's `envvar=`, libraries that read variables
(pydantic_settings, dotenv, decouple, environ, environs, dj_database_url), `variable(...)`, and classes derived from the
registry's. It does not see what is put together at run time, such as `vars(os)["environ"]` or
`getattr(os, "env" + "iron")`, nor what other libraries read by themselves.

## SSM

```toml
[tool.greenroom.environments.staging]
ssm_path = "/ledger/staging"
region = "eu-central-1"
account = "123456789012"   # credentials of another account are refused
# profile = "staging"      # of the AWS configuration
# kms_key = "alias/ours"   # encrypts new SecureStrings; AWS's own key without it
```

`./inv env-diff --environment staging` compares `.env.staging` (or `--from FILE`) with SSM; secrets are shown as
fingerprints that hold for one run. `./inv env-push --environment staging` shows the same, asks, and writes what
differs: secrets as SecureString, with description and pattern from the registry. It deletes nothing, and refuses what
the app would refuse. In the file, ` #` begins a comment unless the value stands in quotes; both tasks refuse a secret
that is cut so, and a name without `=`. A backslash can be an escape inside quotes, and is a character without them;
blanks at the end stay inside quotes alone. `./inv env-check --environment staging` says what SSM lacks, and what is
wrong there.

| who | may do |
|---|---|
| the app's task role | `ssm:GetParametersByPath` on the path; `kms:Decrypt` on a key of your own |
| `env-diff`, `env-check` | the same |
| `env-push` | the same, and `ssm:DescribeParameters`, `ssm:PutParameter`; `kms:Encrypt` on a key of your own |

## Variables

"""

_EXAMPLE = """\
# Every environment variable of the app. Generated from the registry by `./inv env-docs`.
#
# Copy it to .env.staging (git ignores that) and fill it in; then
#     ./inv env-diff --environment staging     what differs from SSM
#     ./inv env-push --environment staging     write what differs
# An empty value counts as not set; one with a # in it stands in single quotes.
"""


def documents(registry: Registry, source: Path) -> dict[Path, str]:
    """What each file should hold. `source`: the registry's own file, from the root."""
    return {PAGE: page(registry, source), EXAMPLE: example(registry)}


def write(root: Path, texts: dict[Path, str]) -> Iterator[Path]:
    """Write them below the root, and yield each when it is there. Raises GreenroomError for one that cannot be."""
    for name, text in texts.items():
        try:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise GreenroomError(
                f"{root / name} cannot be written: {error.strerror}.", "Make way for it, then run again: ./inv env-docs"
            ) from None
        yield name


def page(registry: Registry, source: Path) -> str:
    """The reference: an index, and a section for each variable."""
    variables = list(registry.variables.values())
    exceptions = ", ".join(f"`{name}`" for name in registry.of_task_definition)
    head = _PAGE.format(registry=source, task_definition=exceptions)
    index = ["| variable | type | | default |", "|---|---|---|---|", *map(_row, variables)]
    return head + "\n".join(index) + "\n\n" + "\n\n".join(map(_section, variables)) + "\n"


def example(registry: Registry) -> str:
    """A file of values to fill in: what is required is open, what has a default is commented out."""
    ours = [variable for variable in registry.variables.values() if not variable.set_by_task_definition]
    parts = {
        "Required.": [variable for variable in ours if variable.required],
        "With a default, which is shown.": [variable for variable in ours if not variable.required],
        "Set by the task definition (in production), and never in SSM.": [
            registry.variables[name] for name in registry.of_task_definition
        ],
    }
    sections = [f"# --- {title}\n\n" + "\n\n".join(map(_entry, variables)) for title, variables in parts.items()]
    return _EXAMPLE + "\n" + "\n\n".join(sections) + "\n"


def _row(variable: Variable) -> str:
    marks = ", ".join(word for word, true in (("required", variable.required), ("secret", variable.secret)) if true)
    default = f"`{written(variable.default)}`" if written(variable.default) else ""
    return (
        f"| [{variable.name}](#{variable.name.lower()}) | {variable.type.partition(' of ')[0]} | {marks} | {default} |"
    )


def _section(variable: Variable) -> str:
    facts = {
        "type": variable.type + "".join(f"; {rule}" for rule in rules(variable)),
        "required": "yes" if variable.required else "no",
        "secret": "yes: a SecureString in SSM, and never shown" if variable.secret else "",
        "default": f"`{written(variable.default)}`" if written(variable.default) else "",
        "in plain Python": f"`{variable.default_in('plain-python')}`"
        if variable.plain_python_default is not None
        else "",
        "for example": f"`{variable.example}`",
        "comes from": "; ".join(f"{kind.replace('-', ' ')}: {variable.origin(kind)}" for kind in KINDS),
        "used by": ", ".join(variable.used_by),
        "since": variable.since,
    }
    lines = [f"- {what}: {fact}" for what, fact in facts.items() if fact]
    return "\n".join([f"### {variable.name}", "", variable.description, "", *lines])


def rules(variable: Variable) -> list[str]:
    """Its constraint in words."""
    words = {
        "enum": "one of",
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "characters at least",
        "maxLength": "characters at most",
        "minItems": "words at least",
        "pattern": "pattern",
    }
    return [
        f"{words.get(key, key)} {', '.join(map(str, rule)) if isinstance(rule, list) else f'`{rule}`'}"
        for key, rule in variable.constraint.items()
    ]


def _entry(variable: Variable) -> str:
    text = f"{variable.description} {'Secret. ' if variable.secret else ''}For example: {variable.example}"
    comment = [f"# {line}" for line in wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)]
    line = f"{variable.name}={written(variable.default)}"
    return "\n".join([*comment, line if variable.required else f"# {line}"])
