"""What AWS could say and be asked, by botocore's own models: fakes of it are held against them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any
from xml.etree import ElementTree

from botocore import xform_name
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.session import get_session
from botocore.validate import ParamValidator


@cache
def service_model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)


def operation_model(service: str, operation: str) -> OperationModel:
    """By the name of the API or of boto3."""
    model = service_model(service)
    return model.operation_model(next(n for n in model.operation_names if operation in (n, xform_name(n))))


def conform_request(service: str, operation: str, arguments: dict[str, Any]) -> None:
    """What botocore itself checks before a call leaves."""
    report = ParamValidator().validate(arguments, operation_model(service, operation).input_shape)
    assert not report.has_errors(), f"{operation}: {report.generate_report()}"


def conform(operation: str, answer: dict[str, Any], service: str = "codedeploy") -> dict[str, Any]:
    """The answer, if it is one that botocore's model of the service knows."""
    shape = operation_model(service, operation).output_shape
    wrong = list(_odd(shape, answer, operation))
    assert wrong == []
    return answer


def conform_xml(service: str, operation: str, text: str) -> str:
    """The same of an answer of the query protocol: botocore reads it, and every value in it."""
    shape = operation_model(service, operation).output_shape
    parsed = create_parser("query").parse({"status_code": 200, "headers": {}, "body": text.encode()}, shape)
    parsed.pop("ResponseMetadata", None)
    conform(operation, parsed, service)
    said = [leaf for leaf in ElementTree.fromstring(text).iter() if len(leaf) == 0 and (leaf.text or "").strip()]
    assert len(said) == len(list(_leaves(parsed))), f"{operation}: botocore leaves something out of {text}"
    return text


def conform_refusal(service: str, operation: str, code: str) -> str:
    """The code, if it is one of the errors that the model knows of the operation."""
    known = {shape.metadata.get("error", {}).get("code", shape.name) for shape in _errors(service, operation)}
    assert code in known, f"{operation} never answers {code}: {sorted(known)}"
    return code


def _errors(service: str, operation: str) -> list[Shape]:
    return list(operation_model(service, operation).error_shapes)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _odd(shape: Shape, value: Any, place: str) -> Iterator[str]:
    """Members, types and words of enumerations that the model does not have. What is required, only requests have."""
    kinds: dict[str, tuple[type, ...]] = {
        **{"structure": (dict,), "map": (dict,), "list": (list, tuple), "string": (str,), "boolean": (bool,)},
        **{"integer": (int,), "long": (int,), "double": (float, int), "float": (float, int)},
        "timestamp": (datetime, int, float),
    }
    if shape.name == "policyDocumentType" and isinstance(value, dict):
        return  # botocore decodes IAM's documents
    if not isinstance(value, kinds.get(shape.type_name, (object,))):
        yield f"{place}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "structure":
        for name, one in value.items():
            if name in shape.members:
                yield from _odd(shape.members[name], one, f"{place}.{name}")
            else:
                yield f"{place}.{name}: not in the model"
    elif shape.type_name == "list":
        for one in value:
            yield from _odd(shape.member, one, f"{place}[]")
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{place}: {value}"
