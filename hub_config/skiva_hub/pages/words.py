"""Times, amounts and kinds in words for people. Pure."""

from datetime import UTC, datetime

from skiva_hub.site import Site, Slice


def clock(moment: float, now: float) -> str:
    """A time of day in the hub's own zone, with the day where it is not today."""
    when, today = (datetime.fromtimestamp(t, UTC).astimezone() for t in (moment, now))
    return f"{when:%H:%M}" if when.date() == today.date() else f"{when:%a %d %b %H:%M}"


def iso(moment: float | None) -> str | None:
    """The moment in UTC, for machines and for the browser to show in its own zone."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A length of time, rounded as people would: `40 s`, `3 min`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def hours(amount: float) -> str:
    """A session's length: `8 h`, `1.5 h`, `30 min`, `3 days`."""
    if amount >= 48 and amount % 24 == 0:
        return f"{amount / 24:g} days"
    return f"{amount:g} h" if amount >= 1 else f"{round(amount * 60)} min"


def memory(megabytes: int) -> str:
    """Memory in GB, or MB below one."""
    return f"{round(megabytes / 1024, 1):g} GB" if megabytes >= 1024 else f"{megabytes} MB"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th` and so on."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def count(number: int, one: str, many: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {one if number == 1 else many}"


def isolation(picked: Slice, site: Site) -> str:
    """What a person must know about who else computes on the same device."""
    if picked.gres is None:
        return "No GPU."
    if picked.isolation == "shared":
        return "Shared: others compute on the same GPU."
    if picked.isolation == "none":
        return "Not protected: others may use the same device."
    if not site.cluster.fenced:
        return "Reserved for you, but this site's nodes do not lock others out."
    return "Only yours: nobody else can open this device."


def moment(stamp: str) -> float:
    """The inverse of `iso`: seconds since the epoch."""
    return datetime.fromisoformat(stamp).timestamp()
