"""Magics for notebooks: `%%batch` sends a cell to the batch queue."""

from typing import Any

__all__ = ["load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Make `%%batch` known to IPython; what it needs is loaded when it is first used."""

    def batch(line: str, cell: str) -> None:
        """Run this cell in a job of its own: %%batch slice=1g.10gb hours=4 name=fit restarts=0 env=NAME,NAME.

        All of it may be left out. Only the variables that the cell reads go along; those that it assigns are
        bound here when it has ended. An unchanged cell that was sent off before shows its run again, unless
        the word `again` stands in the line.
        """
        from skiva.magics.batch import batch as send_cell

        send_cell(shell, line, cell)

    shell.register_magic_function(batch, "cell", "batch")
