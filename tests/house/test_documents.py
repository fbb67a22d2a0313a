"""Reading documents finds what is there: else the tests of the documents would prove nothing."""

from tests.house.documents import Document

TEXT = """# A title, with `code` & signs

Run `make test`, see [the rules](docs/rules.md#r1) and ![a picture](docs/a.svg).

```sh
make run     # a comment
temporal start \\
    --input '{}'
```

<!-- run by tests/somewhere.py -->
```sh
account-pause status X   # another one
```

  ```sh
  make check
  ```

| a | b |
|---|---|
| `x` | 1 |
"""
EXAMPLE = Document("EXAMPLE.md", TEXT)


def test_code_is_found_in_blocks_and_in_spans() -> None:
    assert "make run" in EXAMPLE.code
    assert "make test" in EXAMPLE.code
    assert "make check" in EXAMPLE.code
    assert any(line.startswith("temporal start") and "--input" in line for line in EXAMPLE.code)


def test_links_and_pictures_are_found() -> None:
    assert EXAMPLE.links == ["docs/rules.md#r1", "docs/a.svg"]


def test_anchors_are_named_as_on_github() -> None:
    assert EXAMPLE.anchors == {"a-title-with-code--signs"}


def test_tables_are_read_cell_by_cell() -> None:
    assert ["`x`", "1"] in EXAMPLE.rows


def test_only_marked_commands_are_run() -> None:
    assert EXAMPLE.marked_commands == ["account-pause status X"]
