"""Which environments an embedded site offers."""

from pathlib import Path

import pytest
from tests.unit.embedded.test_files import _simulated

from skiva_hub.embedded.environments import offered
from skiva_hub.embedded.site_text import site_toml
from skiva_hub.site_file import parse
from skiva_images.record import Form, ImageRecord
from skiva_images.store import Store


def _build(root: Path, form: Form) -> None:
    """Put a made-up version of `torch` into the store and make it the current one."""
    python = "/opt/skiva/bin/python"
    record = ImageRecord(
        name="torch",
        form=form,
        digest="sha256:" + "ab" * 32,
        python=python,
        python_version="3.11.2",
        title="PyTorch",
        built="2026-11-22T01:02:03Z",
    )
    store = Store(root)
    with store.locked("torch"), store.work("torch", form) as place:
        (place / "image.sif").touch()
        store.switch(store.keep(place, record))


@pytest.mark.parametrize("form", ["env", "oci", "sif"])
def test_what_was_built_is_offered_beside_what_up_installs(tmp_path: Path, form: Form) -> None:
    """A build in DIR/images is on the page after the next `up`, whichever form it has."""
    layout = _simulated(directory=tmp_path)
    _build(tmp_path / "images", form)
    base, torch = parse(site_toml(layout, offered(layout))).environment
    assert (base.id, base.launcher) == ("base", "direct")
    assert torch.id == f"torch-{form}"
    assert torch.title.startswith("PyTorch")
    if form == "env":
        assert torch.python == tmp_path / "images/torch/current.env/bin/python"
    else:
        assert torch.launcher == "namespace"
        assert torch.image == tmp_path / "images/torch" / (
            "current.sif" if form == "sif" else "current.oci/rootfs"
        )


def test_a_build_whose_record_is_damaged_is_not_offered(tmp_path: Path) -> None:
    """Half a record never reaches the page, and keeps nothing from starting."""
    _build(tmp_path / "images", "env")
    record = next((tmp_path / "images/torch").glob("2*.env/image.json"))
    record.write_text("{")
    assert [one["id"] for one in offered(_simulated(directory=tmp_path))] == ["base"]
