"""Lists, newest first, page by page."""

from itertools import islice

from tests.standin.errors import Refused, missing
from tests.standin.store import Object
from tests.standin.world import Call, World

FEWEST = 1
MOST = 100
USUAL = 10


def listed(world: World, call: Call, kind: str, url: str, filters: tuple[str, ...]) -> Object:
    """One page of what the filters and `created` let through, after or before a cursor."""
    limit = _limit(call)
    before = _cursor(world, call, kind, "ending_before")
    after = _cursor(world, call, kind, "starting_after")
    newest_first = world.store.newest_first(kind)
    ordered = newest_first[0 if after is None else after + 1 : before]
    order = 1 if before is None else -1
    found = (each for each in ordered[::order] if _fits(world, call, each, filters))
    # One more than a page tells whether there are more.
    page = list(islice(found, limit + 1))
    return {
        "object": "list",
        "data": page[:limit][::order],
        "has_more": len(page) > limit,
        "url": url,
    }


def _limit(call: Call) -> int:
    limit = int(call.params.get("limit", USUAL))
    if FEWEST <= limit <= MOST:
        return limit
    bound = f"greater than or equal to {FEWEST}"
    if limit > MOST:
        bound = f"less than or equal to {MOST}"
    raise Refused(f"This value must be {bound}.", code="parameter_invalid_integer", param="limit")


def _fits(world: World, call: Call, thing: Object, filters: tuple[str, ...]) -> bool:
    params = call.params
    return (
        world.store.livemode(thing["id"]) is call.livemode
        and all(thing[name] == params[name] for name in filters if name in params)
        and _is_within(thing["created"], params.get("created", {}))
    )


def _is_within(created: int, bounds: dict[str, int] | int) -> bool:
    if isinstance(bounds, int):
        return created == bounds
    return (
        bounds.get("gte", created) <= created <= bounds.get("lte", created)
        and ("gt" not in bounds or created > bounds["gt"])
        and ("lt" not in bounds or created < bounds["lt"])
    )


def _cursor(world: World, call: Call, kind: str, name: str) -> int | None:
    """Where in the whole list the object stands that the cursor names."""
    if name not in call.params:
        return None
    thing = world.store.find(kind, call.params[name], call.livemode)
    if thing is None:
        raise missing(kind, call.params[name], name)
    return world.store.newest_first(kind).index(thing)
