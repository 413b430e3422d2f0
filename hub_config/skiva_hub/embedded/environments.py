"""The environments of an embedded site: what `up` installs, and what was built in DIR/images."""

from skiva_hub.embedded.layout import Layout
from skiva_images.record import Form
from skiva_images.store import Built, Store, StoreError

_FORMS: dict[Form, str] = {"env": "", "oci": "container image", "sif": "single file"}


def offered(layout: Layout) -> list[dict[str, object]]:
    """The site file's `[[environment]]` tables; an image whose record is damaged is left out."""
    base: dict[str, object] = {
        "id": "base",
        "title": "JupyterLab",
        "description": "Python with the usual packages.",
        "python": str(layout.dir / "venv" / "base" / "bin" / "python"),
    }
    built = [one for one in Store(layout.dir / "images").versions() if one.current]
    return [base, *(table for one in built if (table := _table(one)))]


def _table(built: Built) -> dict[str, object] | None:
    try:
        record = built.record()
    except StoreError:
        return None
    form = _FORMS[built.form]
    current = built.path.with_name(f"current.{built.form}")
    told: dict[str, object] = {
        "id": f"{built.name}-{built.form}",
        "title": f"{record.title or built.name} ({form})" if form else record.title or built.name,
        "description": record.description,
    }
    if built.form == "env":
        return told | {"python": str(current / "bin" / "python")}
    image = current / "rootfs" if built.form == "oci" else current
    return told | {"python": record.python, "launcher": "namespace", "image": str(image)}
