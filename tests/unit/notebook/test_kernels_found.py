"""Which environment a path means, and which command mends it."""

import json
from pathlib import Path

import pytest
from tests.support.own_environments import conda_layout

from skiva.kernels import Environment, Kernel, NoEnvironment, current, find
from skiva.kernels.cures import install_ipykernel, relink
from skiva.kernels.current import variables
from skiva.kernels.probe import Facts
from skiva.kernels.spec import default_title, kernel_json, name_of


def environment(prefix: Path, *, maker: str = "") -> Path:
    """What venv leaves behind, or uv."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to("/usr/bin/python3")
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\n{maker}version = 3.11.2\n")
    return prefix


FACTS = Facts("3.12.4", "CPython", Path("/p"), Path("/p/ipykernel/__init__.py"), "7.4.0", True)


def test_each_kind_of_environment_is_told_from_its_files(tmp_path: Path) -> None:
    """uv, venv, conda and pixi environments, by directory, Python or link; and a bare Python."""
    uv = environment(tmp_path / "u", maker="uv = 0.13.9\n")
    venv = environment(tmp_path / "v")
    conda = conda_layout(tmp_path / "c")
    pixi = conda_layout(tmp_path / "project/.pixi/envs/default")
    for prefix, kind in ((uv, "uv"), (venv, "venv"), (conda, "conda"), (pixi, "pixi")):
        assert find(prefix).kind == find(prefix / "bin/python").kind == kind
        assert find(prefix).python == prefix / "bin/python"
    assert find(pixi).project == tmp_path / "project"
    assert find(Path("/usr/bin/python3")).kind == "python"
    (tmp_path / "link").symlink_to(venv)
    assert find(tmp_path / "link").prefix == tmp_path / "link"


def test_a_project_is_its_environment(tmp_path: Path) -> None:
    """A folder stands for the one environment in it, whose kernel is called like the folder."""
    project = tmp_path / "Fit of μ"
    environment(project / ".venv", maker="uv = 0.13.9\n")
    found = find(project)
    assert (found.kind, found.prefix, found.project) == ("uv", project / ".venv", project)
    assert default_title(found, "3.12.4") == "Fit of μ (Python 3.12, uv)"
    assert name_of(found.label) == "fit-of"


def test_of_several_environments_one_must_be_named(tmp_path: Path) -> None:
    """The refusal lists what there is; `--env` takes each of those names."""
    environment(tmp_path / ".venv")
    conda_layout(tmp_path / ".pixi/envs/default")
    conda_layout(tmp_path / ".pixi/envs/cuda")
    with pytest.raises(
        NoEnvironment, match=r"several environments: \.venv, pixi:cuda, pixi:default\. Say which"
    ):
        find(tmp_path)
    assert find(tmp_path, "pixi:cuda").prefix == tmp_path / ".pixi/envs/cuda"
    with pytest.raises(NoEnvironment, match="no environment called x"):
        find(tmp_path, "x")


def test_conda_environments_are_found_by_the_projects_file(tmp_path: Path) -> None:
    """The name in `environment.yml` is looked up in conda's own list and in the usual places."""
    project, home = tmp_path / "p", tmp_path / "home"
    project.mkdir()
    (project / "environment.yml").write_text("name: fits  # ours\ndependencies: [python]\n")
    with pytest.raises(NoEnvironment, match="has no environment"):
        find(project, home=home)
    usual = conda_layout(home / "miniforge3/envs/fits")
    assert find(project, home=home).prefix == usual
    listed = conda_layout(tmp_path / "scratch/fits")
    (home / ".conda").mkdir()
    (home / ".conda/environments.txt").write_text(f"/gone/fits\n{listed}\n")
    assert find(project, home=home).prefix == listed


@pytest.mark.parametrize("path", ["nothing", "empty", "file"])
def test_what_is_no_environment_is_refused_in_words(tmp_path: Path, path: str) -> None:
    """The sentence names the path and says what could be given."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoEnvironment, match=str(tmp_path)):
        find(tmp_path / path)


def test_ipykernel_comes_by_the_environments_own_installer(tmp_path: Path) -> None:
    """A uv project gets it as a dependency, or its next sync would take it away."""
    prefix, python, project = tmp_path / ".venv", tmp_path / ".venv/bin/python", tmp_path
    assert install_ipykernel(Environment("uv", prefix, python))[:3] == ["uv", "pip", "install"]
    (tmp_path / "uv.lock").touch()
    assert install_ipykernel(Environment("uv", prefix, python, project))[:3] == ["uv", "add", "--dev"]
    assert install_ipykernel(Environment("venv", prefix, python))[1:4] == ["-m", "pip", "install"]
    assert install_ipykernel(Environment("venv", prefix, python), has_pip=False)[0] == "uv"
    conda = Environment("conda", prefix, python)
    assert install_ipykernel(conda, has=lambda tool: tool == "micromamba")[0] == "micromamba"
    pixi = Environment("pixi", tmp_path / ".pixi/envs/cuda", python, project)
    assert install_ipykernel(pixi)[-3:] == ["--feature", "cuda", "ipykernel"]
    assert relink("uv", prefix, "3.12.4").startswith(
        "uv venv --allow-existing --managed-python --python 3.12 "
    )


def test_a_kernel_is_activated_as_a_shell_would(tmp_path: Path) -> None:
    """PATH and the variables of its kind; conda's own scripts and variables where there are any."""
    uv = find(environment(tmp_path / "u", maker="uv = 0.13.9\n"))
    spec = kernel_json("u", uv, FACTS, title="U", digest="d", stamp="s")
    assert spec["env"] == {
        "PATH": f"{uv.prefix}/bin:${{PATH}}",
        "VIRTUAL_ENV": str(uv.prefix),
        "SKIVA_KERNEL": "u",
    }
    assert spec["argv"] == [str(uv.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    prefix = conda_layout(tmp_path / "p/.pixi/envs/default")
    (prefix / "etc/conda/activate.d").mkdir(parents=True)
    (prefix / "etc/conda/activate.d/gdal.sh").write_text("export GDAL_DATA=here\n")
    (prefix / "conda-meta/state").write_text(json.dumps({"env_vars": {"OWN": "1"}}))
    spec = kernel_json("p", find(prefix), FACTS, title="P", digest="d", stamp="s")
    assert spec["argv"][0] == "/bin/sh"
    assert spec["argv"][-5:][1:] == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert spec["env"]["CONDA_PREFIX"] == str(prefix)
    assert spec["env"]["OWN"] == "1"
    assert spec["env"]["PIXI_PROJECT_ROOT"] == str(tmp_path / "p")


def test_a_program_knows_the_kernel_that_it_runs_in() -> None:
    """From the environment alone; another Python that a kernel started is not that kernel."""
    kernel = Kernel("fits", "uv", Path("/e/bin/python"), Path("/e"), "sha256:1")
    told = variables(kernel)
    assert current(told, "/e/bin/python", "/e") == kernel
    other = current(told, "/usr/bin/python3", "/usr")
    assert (other.name, other.kind, other.digest) == ("", "", "")
    assert current({}, "/usr/bin/python3", "/usr").name == ""
