"""The form that GoCardless demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

CURRENCIES = {
    "AUD": "becs", "CAD": "pad", "DKK": "betalingsservice", "EUR": "sepa_core", "GBP": "bacs", "NZD": "becs_nz",
    "SEK": "autogiro", "USD": "ach",
}  # fmt: skip
CONSENTS = {"ach": {"one_off", "recurring", "standing"}, "pad": {"single", "recurring", "sporadic"}}


class ApiError(Exception):
    """An error answer in GoCardless's own words."""

    def __init__(self, status: int, type: str, message: str, *faults: dict[str, Any]) -> None:
        super().__init__(message)
        self.status, self.type, self.message, self.faults = status, type, message, faults

    def body(self, kind: str) -> dict[str, Any]:
        """The answer's body; a field at fault is pointed at in a request that has this kind of resource."""
        faults = [
            {**fault, "request_pointer": f"/{kind}/{fault['field'].replace('.', '/')}"} if "field" in fault else fault
            for fault in self.faults
        ]
        return {
            "error": {
                "message": self.message, "errors": faults, "type": self.type, "code": self.status,
                "documentation_url": "https://developer.gocardless.com/api-reference/", "request_id": "sandbox",
            }
        }  # fmt: skip


def invalid(field: str, message: str) -> ApiError:
    """A body's field is wrong."""
    return ApiError(422, "validation_failed", "Validation failed", {"field": field, "message": message})


def not_now(reason: str, message: str) -> ApiError:
    """What is asked does not fit the state that the resource is in."""
    return ApiError(422, "invalid_state", message, {"reason": reason, "message": message})


def not_found() -> ApiError:
    fault = {"reason": "resource_not_found", "message": "Resource not found"}
    return ApiError(404, "invalid_api_usage", "Resource not found", fault)


def unwrapped(body: Any, kind: str) -> dict[str, Any]:
    """What stands under the resource's own name. Raises ApiError."""
    inside = body.get(kind) if isinstance(body, dict) else None
    if not isinstance(inside, dict):
        fault = {"reason": "invalid_document_structure", "message": f"the root must be {kind}"}
        raise ApiError(400, "invalid_api_usage", "Invalid document structure", fault)
    noted = inside.get("metadata", {})
    if not isinstance(noted, dict) or len(noted) > 3:
        raise invalid("metadata", "can only have up to 3 keys")
    for name, value in noted.items():
        if len(name) > 50 or not isinstance(value, str) or len(value) > 500:
            raise invalid("metadata", "keys have at most 50 characters and values are texts of at most 500")
    return inside


def scheme_of(mandate: Any) -> str:
    """The scheme of a mandate request: that of its currency. Raises ApiError."""
    if not isinstance(mandate, dict):
        raise invalid("mandate_request", "must be given")
    scheme = mandate.get("scheme") or CURRENCIES.get(str(mandate.get("currency")))
    if scheme is None or scheme not in CURRENCIES.values():
        raise invalid("mandate_request.currency", "is not supported")
    consent = mandate.get("consent_type")
    if consent is not None and consent not in CONSENTS.get(scheme, set()):
        raise invalid("mandate_request.consent_type", f"is not supported for {scheme}")
    return str(scheme)


def amount_of(inside: dict[str, Any], field: str) -> int:
    """An amount in minor units. Raises ApiError."""
    amount = inside.get(field)
    if type(amount) is not int or amount <= 0:
        raise invalid(field, "must be a whole number of the smallest unit, and more than nothing")
    return amount


def link_of(inside: dict[str, Any], name: str) -> str:
    """The id of the resource that this one is to belong to. Raises ApiError."""
    linked = inside.get("links")
    link = linked.get(name) if isinstance(linked, dict) else None
    if not isinstance(link, str) or not link:
        raise invalid(f"links.{name}", "must be given")
    return link


def text_of(moment: datetime) -> str:
    """A moment in GoCardless's form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
