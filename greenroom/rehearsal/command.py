"""The command `migrate-rehearse`: options become a request, the document files, a table and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from greenroom import config as configuration
from greenroom import console, git, shell
from greenroom.config import Config, Project
from greenroom.console import Progress
from greenroom.copies.acquiring import EMBEDDED, CopyRequest, refuse_contradictions
from greenroom.copies.keeping import KEPT
from greenroom.errors import ANSWER_IS_NO, DONE, GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.remains import dropping
from greenroom.rehearsal import drills
from greenroom.rehearsal.document import Budget, Rehearsal
from greenroom.rehearsal.inside import image as images
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.report import files, github, terminal
from greenroom.rehearsal.request import Request

FORMATS = TEXT, GITHUB = ("text", "github")
# the image that serves in an environment, by its name on this machine's engine; None where there is none
Serving = Callable[[Config, str, Progress], str | None]


@dataclass(frozen=True)
class Options:
    """What was typed; None: not typed, so the configuration or the default holds."""

    dump: str | None = None
    url: str | None = None
    target: str | None = None
    remote: bool = False
    via_file: bool = False
    refresh: bool = False
    server: str | None = None
    project: str | None = None
    settings: str | None = None
    image: str | None = None
    python: str | None = None
    database: str | None = None
    migrate_to: list[str] | None = field(default_factory=list)
    budget_read_ms: float | None = None
    budget_write_ms: float | None = None
    timeout: float | None = None
    template: bool = False
    keep: bool = False
    drills: str | None = None
    try_twin: bool = False
    base: str | None = None
    base_image: str | None = None
    base_environment: str | None = None
    base_check: str | None = None
    allow_network: bool = False
    report_dir: str | None = None
    format: str = TEXT


def migrate_rehearse(options: Options, serving: Serving | None = None) -> int:
    """Hold the rehearsal, write its reports, show the table; the exit code says pass or warn (0), or fail (1).

    `serving` is asked for the image of `base_environment`.
    """
    config = configuration.load()
    request = request_of(options, config)
    directory = config.root / (options.report_dir or config.rehearsal.report_dir)
    files.check_writable(directory)
    with console.progress() as progress:
        if serving and request.base_environment:
            request = replace(request, base_image=serving(config, request.base_environment, progress))
        rehearsal = rehearse(request, progress)
    written = files.write(rehearsal, directory)
    terminal.show(rehearsal, written)
    if options.try_twin and not rehearsal.twins:
        print(_no_twin(rehearsal))
    if options.format == GITHUB:
        _tell_github(rehearsal, written, (config.root / request.project.directory).resolve())
    if not rehearsal.copy_.dropped:
        print(_standing(rehearsal, request.source))
    return ANSWER_IS_NO if rehearsal.verdict == "fail" else DONE


def _no_twin(rehearsal: Rehearsal) -> str:
    """Why none was tried that was asked for."""
    ended = "the migration did not finish" if rehearsal.error else "no stall of a migration is found above a note"
    return f"safe twin           none to try: {ended}"


def _tell_github(rehearsal: Rehearsal, written: Path, project: Path) -> None:
    """Annotations in the log, and the Markdown report as the step's summary."""
    print(github.render(rehearsal, project, git.root(project) or project), end="")
    summary = shell.variable("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write((written / "report.md").read_text(encoding="utf-8"))


def _standing(rehearsal: Rehearsal, source: CopyRequest) -> str:
    """Where a copy stands that was not dropped, and what drops it; without the password."""
    name, given = rehearsal.copy_.name, source.url or (source.server if "://" in source.server else None)
    if given is None:
        kept = [note.removeprefix(KEPT) for note in rehearsal.fidelity.notes if note.startswith(KEPT)]
        return "\n".join(f"copy                {line}" for line in kept)
    server = Address.parse(given)
    remedy = dropping(name, "--url", str(server.at("postgres")))
    return f"copy                {server.at(name)}\n                    drop it with: {remedy}"


def request_of(options: Options, config: Config) -> Request:
    """Check the options against each other and the configuration. Raises GreenroomError before anything is touched."""
    _refuse_contradictions(options)
    if options.format not in FORMATS:
        raise GreenroomError(f"--format {options.format} is not known.", f"There are: {', '.join(FORMATS)}")
    project = project_of(options, config)
    source = source_of(options, config, project)
    refuse_contradictions(source)
    image = images.chosen(options.image, ours=config.image.name) if options.image else None
    request = Request(
        config=config,
        project=project,
        source=source,
        image=image,
        targets=list(options.migrate_to or ()),
        budget=budget_of(options, config),
        probed_tables=config.rehearsal.probed_tables,
        allow_network=options.allow_network,
        drills=drills.named(options.drills) if options.drills is not None else None,
        try_twin=options.try_twin,
        base=options.base,
        base_image=options.base_image,
        base_environment=options.base_environment,
        base_check=options.base_check,
    )
    drills.refuse_unknown(request)
    return request


def project_of(options: Options, config: Config) -> Project:
    """The configured project, or the one that `--project` names: then nothing of ours is told to it."""
    if not options.project:
        given = {"settings": options.settings, "python": options.python, "database": options.database}
        project = config.project.model_copy(update={key: value for key, value in given.items() if value})
        return _in_image(project, options)
    directory = Path(options.project).resolve()
    if not directory.is_dir():
        raise GreenroomError(f"--project {options.project} is not a directory.", "Name the directory of its manage.py.")
    project = Project(
        directory=directory,
        settings=options.settings,
        python=options.python,
        database=options.database or "default",
    )
    return _in_image(project, options)


def _in_image(project: Project, options: Options) -> Project:
    """With `--image`, `--settings` names the module in the image."""
    if not (options.image and options.settings):
        return project
    image = project.image.model_copy(update={"settings": options.settings})
    return project.model_copy(update={"image": image, "settings": options.settings})


def source_of(options: Options, config: Config, project: Project) -> CopyRequest:
    """Where the data comes from."""
    return CopyRequest(
        config=config,
        project=project,
        dump=Path(options.dump) if options.dump else None,
        url=options.url,
        target=options.target,
        remote=options.remote,
        via_file=options.via_file,
        refresh=options.refresh,
        server=options.server or EMBEDDED,
        template=options.template,
        keep=options.keep,
        branch=git.slug(git.checkout(config.root / project.directory).branch),
        lease_hours=config.rehearsal.lease_hours,
    )


def budget_of(options: Options, config: Config) -> Budget:
    """The accepted stalls in milliseconds, and the seconds after which a hung migration is stopped."""
    defaults = config.rehearsal
    return Budget(
        read_ms=_positive("--budget-read-ms", options.budget_read_ms, defaults.budget_read_ms),
        write_ms=_positive("--budget-write-ms", options.budget_write_ms, defaults.budget_write_ms),
        timeout_seconds=_positive("--timeout", options.timeout, defaults.timeout_seconds),
    )


def _positive(option: str, given: float | str | None, default: float) -> float:
    try:
        number = default if given is None else float(given)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise GreenroomError(f"{option} {given} is not a number above 0.", f"For example: {option} {default:g}")
    return number


def _refuse_contradictions(options: Options) -> None:
    """Between options of the command; those of one source are acquiring's."""
    if options.image and options.python:
        raise GreenroomError(
            "--python is an interpreter of this machine, and with --image the image's own runs.",
            "Leave one of them out; python in [tool.greenroom.project.image] names another one of the image.",
        )
    running = ("base", "base_image", "base_environment")
    named = [f"--{name.replace('_', '-')}" for name in running if getattr(options, name)]
    if len(named) > 1:
        raise GreenroomError(f"{' and '.join(named)} each name the running release.", "Leave all but one of them out.")
    if options.project and not (options.dump or options.url or options.target):
        raise GreenroomError(
            "--project needs data: the demo data belongs to greenroom's own app.",
            "Add --dump FILE (pg_dump -Fc), --url postgresql://USER@HOST/DATABASE or --target NAME.",
        )
    if options.server and not (options.dump or options.target):
        raise GreenroomError("--server says where a dump is restored, and there is no dump.", "Add --dump FILE.")
    if options.template and not (options.url or options.target):
        raise GreenroomError("--template is a way to copy on the server of --url.", "Add --url, or leave it out.")
