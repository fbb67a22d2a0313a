"""The API against its own description, over real HTTP: made-up requests, and walks along the links.

Whatever is answered has to be described: status, headers, documents. What breaks the description
has to be refused, and nothing may end in an error of ours.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from systems.sample import SampleAccount
from tests.starter.web.api.desk import OURS, new_account
from tests.starter.web.api.live import Live

# A rule may say no to what the description allows (terms that are not on offer, for example), and
# disabling a tracker twice is the same as once.
NOT_CHECKED = ("positive_data_acceptance", "use_after_free")
CONFIG: dict[str, Any] = {
    "checks": {name: {"enabled": False} for name in NOT_CHECKED},
    # Ours is up, and answers within the time of the test.
    "request-timeout": 30,
}
MADE_UP = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def schema_of(live: Live) -> Any:
    """The API as it describes itself."""
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_url(f"{live.url}/openapi.json", config=config)


def administrator_of(live: Live) -> tuple[SampleAccount, dict[str, str]]:
    """A fresh account, and what its administrator's requests have in their headers."""
    account = new_account(live.systems)
    keys = live.systems.identity.api_keys
    new = keys.create(account.administrator_id, "made up", datetime.now(UTC), "operator")
    return account, {"Authorization": f"Bearer {new.secret}", **OURS}


def fuzz(live: Live, examples: int, mode: GenerationMode) -> None:
    """Ask every operation for all sorts of things, described ones or others."""
    for found in schema_of(live).get_all_operations():
        account, headers = administrator_of(live)
        cases = found.ok().as_strategy(
            generation_mode=mode, path_parameters={"account_id": account.account_id}
        )
        # There is nothing that a request without parameters could do wrong.
        with suppress(Unsatisfiable):
            settings(MADE_UP, max_examples=examples)(given(case=cases)(asking(headers)))()


def asking(headers: dict[str, str]) -> Callable[[Any], None]:
    """What is done with each made-up request."""

    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers)

    return ask


def walk(live: Live, examples: int, steps: int) -> None:
    """Go along the links, from each answer to what it leads to, on an account per walk."""
    machine = schema_of(live).as_state_machine()

    class Walk(machine):  # type: ignore[misc,valid-type]  # made at run time
        def setup(self) -> None:
            self.account, self.headers = administrator_of(live)

        def before_call(self, case: Any) -> None:
            if "account_id" in (case.path_parameters or {}):
                case.path_parameters["account_id"] = self.account.account_id

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": self.headers}

    Walk.run(settings=settings(MADE_UP, max_examples=examples, stateful_step_count=steps))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(live: Live, mode: GenerationMode) -> None:
    fuzz(live, 2, mode)


def test_every_walk_along_the_links_is_as_described(live: Live) -> None:
    walk(live, 2, 6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_of_many_is_as_described(live: Live, mode: GenerationMode) -> None:
    fuzz(live, 40, mode)


@pytest.mark.slow
def test_every_long_walk_along_the_links_is_as_described(live: Live) -> None:
    walk(live, 25, 15)
