"""The saved queries: what `up` prints, what the documents say and what the code has is the same."""

from domain.queries import SAVED_QUERIES, of_account, path_of
from starter.cli.local import UI_PORT
from systems.sample.parts import account_id
from tests.house.documents import document

TOUR = document("docs/web-ui.md")
DEFAULT_UI = f"http://127.0.0.1:{UI_PORT}"


def test_the_tour_has_every_saved_query_with_its_link_and_no_other_link() -> None:
    told = [row for row in TOUR.rows if len(row) == 3 and row[2].startswith("[open]")]

    assert [
        [saved.name, f"`{saved.query}`", f"[open]({DEFAULT_UI}/{path_of(saved.query)})"]
        for saved in SAVED_QUERIES
    ] == told


def test_every_link_into_the_web_ui_is_a_saved_query() -> None:
    links = {link for link in TOUR.links if link.startswith(f"{DEFAULT_UI}/")}

    assert {f"{DEFAULT_UI}/{path_of(saved.query)}" for saved in SAVED_QUERIES} == links


def test_the_query_for_one_account_is_the_one_of_the_tour() -> None:
    assert of_account(account_id("brightside-dental")) in TOUR.spans


def test_a_path_is_safe_in_a_link() -> None:
    assert "namespaces/a%2Fb/workflows?query=X%3D%27%28%29%20%26%27" == path_of("X='() &'", "a/b")
