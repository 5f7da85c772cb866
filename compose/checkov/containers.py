"""What checkov holds against every container of compose.yaml: it has no rules of its own for such a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.yaml_doc.base_yaml_check import BaseYamlCheck
from checkov.yaml_doc.enums import BlockType

Service = dict[str, Any]
LINES = ("__startline__", "__endline__")  # checkov's own, in every mapping
LOOPBACK = "127.0.0.1:"
SHARED_WITH_THE_MACHINE = ("network_mode", "pid", "ipc", "userns_mode", "uts")


def _read_only(service: Service) -> bool:
    return service.get("read_only") is True


def _without_capabilities(service: Service) -> bool:
    return service.get("cap_drop") == ["ALL"] and not service.get("cap_add")


def _without_new_privileges(service: Service) -> bool:
    return "no-new-privileges:true" in service.get("security_opt", ())


def _apart_from_the_machine(service: Service) -> bool:
    shares = [service.get(name) == "host" for name in SHARED_WITH_THE_MACHINE]
    mounts = [str(volume) for volume in service.get("volumes", ())]
    return not (service.get("privileged") or service.get("devices") or any(shares) or "docker.sock" in " ".join(mounts))


def _published_on_loopback(service: Service) -> bool:
    return all(str(port).startswith(LOOPBACK) for port in service.get("ports", ()))


def _of_a_version(service: Service) -> bool:
    """Or built here."""
    name = str(service.get("image", "")).rpartition("/")[2]
    return "build" in service or (":" in name and not name.endswith(":latest"))


RULES: dict[str, Callable[[Service], bool]] = {
    "the root file system is read-only": _read_only,
    "no capability is kept": _without_capabilities,
    "no program gains privileges": _without_new_privileges,
    "nothing of the machine is shared": _apart_from_the_machine,
    "ports are published on loopback alone": _published_on_loopback,
    "the image bears a version, or is built here": _of_a_version,
}


class OfEachService(BaseYamlCheck):  # type: ignore[misc]
    """Fails with the lines of the first service that the rule does not hold for."""

    def __init__(self, number: int, name: str, holds: Callable[[Service], bool]) -> None:
        super().__init__(
            name=name,
            id=f"GREENROOM_COMPOSE_{number}",
            categories=[CheckCategories.GENERAL_SECURITY],
            supported_entities=["*"],
            block_type=BlockType.DOCUMENT,
        )
        self.holds = holds

    def scan_entity_conf(self, conf: dict[str, Any], entity_type: str) -> tuple[CheckResult, dict[str, Any]]:
        services = {name: found for name, found in conf["services"].items() if name not in LINES}
        wrong = next((service for service in services.values() if not self.holds(service)), None)
        return (CheckResult.PASSED, conf) if wrong is None else (CheckResult.FAILED, wrong)


CHECKS = [OfEachService(number, name, holds) for number, (name, holds) in enumerate(RULES.items(), 1)]
