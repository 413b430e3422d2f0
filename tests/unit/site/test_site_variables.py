"""Variables of an environment: names that can be set, values on one line, none that a job has of its own."""

from pathlib import Path

import pytest

from skiva_hub.site_file import SiteError, parse

TEXT = (Path(__file__).parents[3] / "hub_config" / "examples" / "from-batchspawner.toml").read_text()


def told(line: str) -> str:
    """The example, whose environment sets a variable."""
    return TEXT.replace("[hours]\n", f"[environment.variables]\n{line}\n\n[hours]\n", 1)


def test_a_variable_is_set_as_it_is_written() -> None:
    """Spaces, quotes and dollar signs mean themselves: no shell reads them."""
    made = parse(told("""X_1 = "a b $HOME 'c'" """))
    assert made.environment[0].variables == {"X_1": "a b $HOME 'c'"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('"A B" = "x"', "'A B' cannot be a variable"),
        ('"1A" = "x"', "'1A' cannot be a variable"),
        ('SLURM_CONF = "x"', "SLURM_CONF is set for each session or job"),
        ('JUPYTERHUB_API_TOKEN = "x"', "is set for each session or job"),
        ('HOME = "/"', "HOME is set for each session or job"),
        ('A = "x\\ny"', "must be one line"),
        ("A = 1", 'write e.g. variables = { MLM_LICENSE_FILE = "27000@licences" }'),
    ],
)
def test_a_variable_that_cannot_be_set_is_told_with_its_cure(line: str, what: str) -> None:
    """What the session or Slurm sets, what is no name, and what is no text on one line."""
    with pytest.raises(SiteError) as caught:
        parse(told(line))
    assert what in str(caught.value)
