// What the spawn page and the pending page share.

/** A moment in the reader's own time zone; with the day where it is not today. */
export function clock(moment) {
  const when = new Date(moment);
  const options = { hour: "2-digit", minute: "2-digit" };
  if (when.toDateString() !== new Date().toDateString()) {
    Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
  }
  return when.toLocaleString(undefined, options);
}

/** Rewrite every <time> below `root` in the reader's time zone. */
export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(time.dateTime);
    if (!Number.isNaN(moment)) time.textContent = clock(moment);
  }
}

/** Put `text`, in which {time} stands for `stamp`, into `element`. */
export function fill(element, text, stamp) {
  const [before, after] = text.split("{time}");
  element.replaceChildren(before);
  if (after === undefined) return;
  const time = document.createElement("time");
  if (stamp) {
    time.dateTime = stamp;
    time.textContent = clock(stamp);
  }
  element.append(time, after);
}

/** Headers that a request to the hub's API needs. */
export function hubHeaders() {
  return { Accept: "application/json", "X-XSRFToken": window.jhdata.xsrf_token };
}

export function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}
