"""Objects in the place of their ids, where `expand` asks for it."""

from tests.standin.errors import Refused
from tests.standin.store import Object
from tests.standin.world import World

# By kind of object: which field may be expanded, and to what.
EXPANDABLE: dict[str, dict[str, str]] = {
    "charge": {
        "customer": "customer",
        "payment_intent": "payment_intent",
    },
    "checkout.session": {
        "customer": "customer",
        "setup_intent": "setup_intent",
    },
    "payment_intent": {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    },
    "payment_method": {"customer": "customer"},
    "refund": {
        "charge": "charge",
        "payment_intent": "payment_intent",
    },
    "setup_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
    },
}
DEEPEST = 4


def check_expand(kind: str, is_list: bool, paths: list[str]) -> None:
    """Whether all of it can be expanded.

    Raises:
        Refused: 400 in Stripe's words.
    """
    for path in paths:
        fields = path.split(".")
        if len(fields) > DEEPEST:
            raise Refused(f"You cannot expand more than {DEEPEST} levels.", param="expand")
        if is_list and fields.pop(0) != "data":
            raise _not_expandable(path)
        _check(kind, fields, path)


def expanded(world: World, thing: Object, paths: list[str]) -> Object:
    """A copy with objects in it; the object itself stays as it is."""
    for path in paths:
        first, _, rest = path.partition(".")
        inner = [rest] if rest else []
        value = thing.get(first)
        if thing["object"] == "list" and first == "data":
            thing = {**thing, "data": [expanded(world, each, inner) for each in thing["data"]]}
            continue
        found = value if isinstance(value, dict) else world.store.get(value)
        if found is not None:
            thing = {**thing, first: expanded(world, found, inner)}
    return thing


def _check(kind: str, fields: list[str], path: str) -> None:
    for field in fields:
        if field not in EXPANDABLE.get(kind, {}):
            raise _not_expandable(path)
        kind = EXPANDABLE[kind][field]


def _not_expandable(path: str) -> Refused:
    return Refused(f"This property cannot be expanded ({path}).", param="expand")
