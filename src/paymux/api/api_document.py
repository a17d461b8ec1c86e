"""`/openapi.json`, made from the endpoints and the connectors that this installation has, and `/docs` made from it."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape
from pydantic.json_schema import models_json_schema

from paymux.api import examples
from paymux.api.documents import DESCRIBED, JSON
from paymux.connectors.registry import all_codes

router = APIRouter(include_in_schema=False)
_CODE = re.compile(r"`([^`]+)`")
_PAGES = Environment(loader=PackageLoader("paymux.api", "pages"), autoescape=select_autoescape())
_PAGES.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str)
_PAGES.filters["prose"] = lambda text: Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704
# The page is whole by itself: it asks nobody for anything and runs no script.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def install(app: FastAPI) -> None:
    """Complete FastAPI's own description of the application."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            _complete(describe())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    models = sorted(DESCRIBED, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    parts = document.setdefault("components", {})
    parts["schemas"] = schemas["$defs"]
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    # What this installation has connectors for: data, not a closed type (O3).
    parts["schemas"]["CreateOrder"]["properties"]["bnplProvider"]["enum"] = sorted(all_codes())
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if operation["operationId"] in examples.ANSWERS:
                # As written: FastAPI leaves out what is null.
                good = next(said for status, said in responses.items() if status.startswith("2"))
                good["content"][JSON]["example"] = examples.ANSWERS[operation["operationId"]]
            # FastAPI's own 422, which nothing here ever answers.
            if "HTTPValidationError" in json.dumps(responses.get("422", "")):
                del responses["422"]


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The API document as a page."""
    document = request.app.openapi()
    page = _PAGES.get_template("docs.html").render(document=document, operations=_operations(document), fields=_fields)
    return HTMLResponse(page, headers=_HEADERS)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            media = next(iter(body), "")
            answers = operation["responses"]
            good = next(status for status in answers if status.startswith("2"))
            found.append({
                **operation, "path": path, "method": method.upper(), "media": media, "body": body.get(media, {}),
                "status": good, "answer": answers[good]["content"]["application/json"],
                "errors": {status: said for status, said in answers.items() if not status.startswith("2")},
            })  # fmt: skip
    return found


def _fields(document: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """A schema's fields, those of its objects and lists after them by path: name, type, required, meaning."""
    schema, many = _resolved(document, schema)
    prefix += "[]." if many and not prefix.endswith("[].") else ""
    rows = []
    for name, field in schema.get("properties", {}).items():
        inner, repeated = _resolved(document, field)
        rows.append({
            "name": prefix + name, "type": _type(inner, repeated), "required": name in schema.get("required", ()),
            "meaning": field.get("description", ""), "one_of": inner.get("enum") or ([inner["const"]] if "const" in inner else []),
        })  # fmt: skip
        if "properties" in inner:
            rows += _fields(document, inner, f"{prefix}{name}{'[]' if repeated else ''}.")
    return rows


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema without references and without its `or null`; and whether it is a list of it."""
    many = False
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        elif "anyOf" in schema:
            kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
            if len(kinds) != 1:
                return {"type": " or ".join(dict.fromkeys(_type(kind, False) for kind in kinds))}, many
            schema = kinds[0]
        elif schema.get("type") == "array" and not many:
            schema, many = schema["items"], True
        else:
            return schema, many


def _type(schema: dict[str, Any], many: bool) -> str:
    name = str(schema.get("format") or schema.get("type", "string"))
    return f"list of {name}" if many else name
