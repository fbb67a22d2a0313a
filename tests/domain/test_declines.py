import pytest

from domain.declines import DECLINES, explained
from systems.billing.collecting import CARD_REMOVED, NO_CARD
from systems.billing.settling import DECLINED
from systems.gateways.sandbox import CARDS, card_of

OF_TEST_CARDS = sorted({card.decline_code for card in CARDS.values() if card.decline_code})
NOT_TO_BE_TOLD = ["lost_card", "stolen_card", "pickup_card"]


@pytest.mark.parametrize(
    "code",
    [*OF_TEST_CARDS, card_of("no token of ours").decline_code, NO_CARD, CARD_REMOVED, DECLINED],
)
def test_every_code_that_comes_up_here_has_words_of_its_own(code: str) -> None:
    assert code in DECLINES, f"say in domain/declines.py what {code} means"


def test_who_reads_that_a_card_cannot_be_used_does_not_learn_that_it_was_lost_or_stolen() -> None:
    [said] = {explained(code).administrator for code in NOT_TO_BE_TOLD}

    assert not [word for word in ("lost", "stolen", "theft", "police", "report") if word in said]
    assert "another card" in said


def test_an_operator_is_told_which() -> None:
    said = [explained(code).operator for code in NOT_TO_BE_TOLD]

    assert len(NOT_TO_BE_TOLD) == len(set(said))
    assert "lost" in said[0]
    assert "stolen" in said[1]


@pytest.mark.parametrize("code", [None, "a_code_of_next_year"])
def test_a_code_that_nobody_knows_is_a_decline_without_a_reason(code: str | None) -> None:
    assert "the bank gave no reason; ask it, or enter another card" == explained(code).administrator
    assert (code or "no reason") in explained(code).operator


@pytest.mark.parametrize("code", DECLINES)
def test_what_an_administrator_reads_says_what_to_do_and_completes_a_sentence(code: str) -> None:
    said = explained(code).administrator

    assert said[0].islower()
    assert not said.endswith(".")
    assert any(word in said for word in ("enter", "ask", "called off"))
