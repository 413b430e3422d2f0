"""What `skiva up` tells the person who typed it."""

from skiva_hub.embedded.assemble import Assembly
from skiva_hub.embedded.layout import Layout
from skiva_hub.embedded.people import SigningIn


def machine(layout: Layout) -> str:
    """One sentence on what was found."""
    if layout.simulated:
        gpus = "no NVIDIA GPU here, so the slices are simulated"
    else:
        gpus = f"NVIDIA GPUs: {', '.join(s.id for s in layout.slices if s.gres)}"
    if layout.fenced:
        fence = "cgroups fence devices and memory"
    elif layout.owners.root:
        fence = "this machine lets nobody make cgroups, so devices and memory are not fenced"
    else:
        fence = "without root, devices and memory are not fenced"
    return f"{gpus[0].upper()}{gpus[1:]}; {fence}."


def welcome(assembly: Assembly, signing_in: SigningIn, *, with_hub: bool, in_terminal: bool) -> str:
    """What to do now."""
    layout = assembly.layout
    shell = f'eval "$(./skiva env --dir {layout.dir})"'
    lines = [
        "",
        *_sign_in(assembly, signing_in, with_hub=with_hub),
        f"  slices    {', '.join(s.id for s in layout.slices)}"
        + (" (GPUs simulated)" if layout.simulated else "")
        + ("" if layout.fenced else " (not fenced)"),
        f"  shell     {shell}",
        f"  logs      {layout.log}",
        f"  stop      {'Ctrl-C, or ' if in_terminal else ''}./skiva down --dir {layout.dir}",
        "",
    ]
    return "\n".join(lines)


def _sign_in(assembly: Assembly, signing_in: SigningIn, *, with_hub: bool) -> list[str]:
    if not with_hub:
        return ["Slurm is ready; there is no hub."]
    return [
        f"Skiva is ready: http://127.0.0.1:{assembly.ports['public']}/",
        f"  accounts  {', '.join(signing_in.names)}",
        f"  password  {signing_in.password}",
    ]
