"""``python -m starter.cli``: the command line where the script `account-pause` is not at hand."""

from starter.cli import main

if __name__ == "__main__":
    main()
