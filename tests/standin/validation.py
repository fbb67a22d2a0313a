"""Whether Stripe would take these parameters, by the types that ship in its official package.

Those types are made from Stripe's own description of its API, so that the stand-in cannot take what
Stripe would refuse, and a parameter that a newer API dropped is noticed with the next package.
"""

import re
from functools import cache
from types import UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

import stripe
from stripe import _request_options
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import is_typeddict

from tests.standin.errors import Refused
from tests.standin.forms import Parameters

# What the annotations of every class refer to, because every class inherits them.
_NAMES = {**vars(_request_options), "StripeContext": stripe.StripeContext}
_OPTIONS = frozenset(_request_options.RequestOptions.__annotations__)
_INTEGER = re.compile(r"-?[0-9]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_EMAILS = {"email", "customer_email", "receipt_email"}
_URL = re.compile(r"[a-z][a-z0-9+.-]*://.")
_URLS = {"cancel_url", "return_url", "success_url"}

METADATA_KEYS = 50
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


def validated(kind: type, given: Parameters) -> Parameters:
    """The parameters with their types; `kind` is the official class that describes them.

    Raises:
        Refused: 400 in Stripe's words, naming the parameter.
    """
    parameters = _object(kind, given, "")
    _check_metadata(parameters.get("metadata") or {})
    _check_formats(parameters)
    return parameters


@cache
def described(kind: type) -> dict[str, Any]:
    """Which parameters there are. Options of a request, such as its key, are none."""
    hints = get_type_hints(kind, localns=_NAMES, include_extras=True)
    return {name: hint for name, hint in hints.items() if name not in _OPTIONS}


def _object(kind: type, given: Parameters, path: str) -> Parameters:
    hints = described(kind)
    for name in given:
        if name not in hints:
            raise _unknown(_inside(path, name))
    for name, hint in hints.items():
        if get_origin(hint) is not NotRequired and name not in given:
            raise parameter_missing(_inside(path, name))
    return {name: _value(hints[name], value, _inside(path, name)) for name, value in given.items()}


def _value(hint: Any, given: Any, path: str) -> Any:
    """The value as the first of what `hint` allows that fits."""
    refusals: list[Refused] = []
    for choice in _choices(hint):
        try:
            return _as(choice, given, path)
        except Refused as refused:
            refusals.append(refused)
    # The one that came furthest knows best what is wrong.
    raise max(reversed(refusals), key=lambda refused: len(refused.error["param"]))


def _choices(hint: Any) -> list[Any]:
    if get_origin(hint) is NotRequired:
        return _choices(get_args(hint)[0])
    if get_origin(hint) not in (Union, UnionType):
        return [hint]
    flat = [choice for each in get_args(hint) for choice in _choices(each)]
    # Where values are listed, the package adds `str` for those of a later API. Stripe does not.
    is_listed = any(get_origin(each) is Literal and any(get_args(each)) for each in flat)
    left_out = {UntypedStripeObject, str if is_listed else None}
    return [each for each in flat if (get_origin(each) or each) not in left_out]


def _as(hint: Any, given: Any, path: str) -> Any:
    if is_typeddict(hint):
        return _object(hint, _nested(given, path), path)
    origin = get_origin(hint)
    if origin is list:
        return _list(get_args(hint)[0], _nested(given, path), path)
    if origin is dict:
        inner = get_args(hint)[1]
        nested = _nested(given, path).items()
        return {name: _value(inner, each, _inside(path, name)) for name, each in nested}
    if not isinstance(given, str):
        raise Refused(f"Invalid string: {path} is no object", param=path)
    return _scalar(hint, given, path)


def _scalar(hint: Any, given: str, path: str) -> Any:
    if get_origin(hint) is Literal:
        return _literal(get_args(hint), given, path)
    if hint is bool:
        return _boolean(given, path)
    if hint is int:
        return _integer(given, path)
    if hint is str:
        return _string(given, path)
    raise Refused(f"The stand-in does not know how to read {path} ({hint}).", param=path)


def _literal(choices: tuple[str, ...], given: str, path: str) -> str:
    if given not in choices:
        raise Refused(f"Invalid {path}: must be one of {', '.join(choices)}", param=path)
    return given


def _boolean(given: str, path: str) -> bool:
    if given not in ("true", "false"):
        raise Refused(f"Invalid boolean: {given}", param=path)
    return given == "true"


def _integer(given: str, path: str) -> int:
    if not _INTEGER.fullmatch(given):
        raise Refused(f"Invalid integer: {given}", code="parameter_invalid_integer", param=path)
    return int(given)


def _string(given: str, path: str) -> str:
    # An empty value of a map takes the entry out; anywhere else nothing can be unset like that.
    if not given and not path.startswith("metadata["):
        raise Refused(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{path}' cannot be unset. You should remove '{path}' from "
            "your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=path,
        )
    return given


def _list(inner: Any, given: Parameters, path: str) -> list[Any]:
    if list(given) != [str(index) for index in range(len(given))]:
        raise Refused(f"Invalid array: {path}", param=path)
    return [_value(inner, each, f"{path}[{index}]") for index, each in given.items()]


def _nested(given: Any, path: str) -> Parameters:
    if not isinstance(given, dict):
        raise Refused(f"Invalid object: {path}", param=path)
    return given


def _check_metadata(metadata: Parameters) -> None:
    if len(metadata) > METADATA_KEYS:
        raise Refused(f"You can only have up to {METADATA_KEYS} metadata keys.", param="metadata")
    for name, value in metadata.items():
        if len(name) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise Refused(
                f"Metadata keys can have up to {METADATA_KEY_LENGTH} characters and values up to "
                f"{METADATA_VALUE_LENGTH} characters.",
                param=f"metadata[{name}]",
            )


def _check_formats(parameters: Parameters) -> None:
    """What the types do not tell."""
    for name in _EMAILS & parameters.keys():
        if not _EMAIL.fullmatch(parameters[name]):
            raise Refused(
                f"Invalid email address: {parameters[name]}", code="email_invalid", param=name
            )
    for name in _URLS & parameters.keys():
        if not _URL.match(parameters[name]):
            raise Refused(
                "Invalid URL: An explicit scheme (such as https) must be provided.",
                code="url_invalid",
                param=name,
            )


def _inside(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def parameter_missing(path: str) -> Refused:
    """A parameter that is needed was not given."""
    return Refused(f"Missing required param: {path}.", code="parameter_missing", param=path)


def _unknown(path: str) -> Refused:
    return Refused(f"Received unknown parameter: {path}", code="parameter_unknown", param=path)
