// The pending page: where the session is, and every way out of waiting.
import { clock, hubHeaders, localTimes, pause } from "./common.js";

const page = document.getElementById("skiva-pending");
const { progressUrl, serverUrl, spawnUrl, title } = page.dataset;
const options = JSON.parse(page.dataset.options);

const bar = document.getElementById("progress-bar");
const message = document.getElementById("progress-message");
const log = document.getElementById("progress-log");
const lost = document.getElementById("skiva-lost");
const cancel = document.getElementById("stop-server-btn");
const status = document.getElementById("stop-server-status");
const notify = document.getElementById("skiva-notify");
const steps = [...page.querySelectorAll(".skiva-steps li")];

// How many steps are done, and which one is under way.
const PHASES = {
  submitting: [0, 0, "Handing over to the scheduler"],
  queued: [0, 0, "Waiting in the queue"],
  starting: [1, 1, "Starting on its node"],
  proved: [3, 3, "The server is starting"],
  answering: [4, 3, "Opening your session"],
};
const ICONS = { todo: "", active: "fa-spinner fa-pulse", done: "fa-check" };

let leaving = false;
let wantsNotice = false;
let lastLogged = "";
let wait = 1;
let source = null;

function showSteps(phase) {
  const [done, active] = PHASES[phase];
  steps.forEach((step, index) => {
    const state = index < done ? "done" : index === active ? "active" : "todo";
    if (step.dataset.state === state && step.dataset.drawn) return;
    step.dataset.state = state;
    step.dataset.drawn = "yes";
    step.querySelector("i").className = `fa fa-fw ${ICONS[state]}`;
    step.querySelector(".skiva-step-state").textContent =
      state === "done" ? "(done)" : state === "active" ? "(under way)" : "";
    if (state === "active") step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
}

function showRow(name, text) {
  for (const cell of page.querySelectorAll(`[data-row=${name}]`)) {
    cell.hidden = !text;
    if (cell.tagName === "DD") cell.textContent = text;
  }
}

function showSwitch(event) {
  const box = document.getElementById("skiva-switch");
  const buttons = box.querySelector("div");
  const ids = event.switch || [];
  box.hidden = ids.length === 0;
  if (buttons.dataset.ids === ids.join(" ")) return;
  buttons.dataset.ids = ids.join(" ");
  buttons.replaceChildren(
    ...ids.map((id) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn-sm btn-primary";
      button.textContent = `Switch to ${event.switch_titles?.[id] ?? id}`;
      button.addEventListener("click", () => leave({ ...options, slice: id }));
      return button;
    }),
  );
}

function showLine(event) {
  if (event.progress !== undefined) {
    bar.setAttribute("aria-valuenow", String(event.progress));
    bar.style.width = `${event.progress}%`;
    document.getElementById("sr-progress").textContent = `${event.progress}%`;
  }
  // The hub has escaped html_message; it holds nothing but <time> and links.
  const line = document.createElement("div");
  if (event.html_message) line.innerHTML = event.html_message;
  else line.textContent = event.message ?? "";
  localTimes(line);
  if (!line.textContent) return;
  if (message.textContent !== line.textContent) message.replaceChildren(...line.cloneNode(true).childNodes);
  if (line.textContent === lastLogged) return;
  lastLogged = line.textContent;
  line.className = "progress-log-event";
  line.prepend(`${new Date().toLocaleTimeString()} `);
  log.append(line);
}

function showTitle(event) {
  const [, , headline] = PHASES[event.phase];
  const words = event.position ? `${headline}: ${event.position} of ${event.waiting}` : headline;
  document.title = `${words} – ${title}`;
  const heading = document.getElementById("skiva-headline");
  if (heading.textContent !== headline) heading.textContent = headline;
}

function show(event) {
  lost.hidden = true;
  wait = 1;
  showLine(event);
  if (!event.phase || !(event.phase in PHASES)) return;
  showTitle(event);
  showSteps(event.phase);
  showSwitch(event);
  showRow("place", event.position ? `${event.position} of ${event.waiting}` : "");
  showRow("expected", event.expected ? `about ${clock(event.expected)}` : "");
}

/** JupyterHub sends this page on to the server once it is ready, or shows why it is not. */
function goOn() {
  leaving = true;
  source?.close();
  window.location.reload();
}

function ready() {
  document.title = `Ready – ${title}`;
  if (!wantsNotice || !document.hidden) return goOn();
  source.close();
  const notice = new Notification("Your session is ready", { body: options.slice ?? "", tag: serverUrl });
  notice.addEventListener("click", () => window.focus());
  document.addEventListener("visibilitychange", goOn, { once: true });
}

function failed() {
  if (leaving) return;
  document.title = `Could not start – ${title}`;
  bar.classList.add("bg-danger");
  setTimeout(goOn, 500);
}

function listen() {
  source = new EventSource(progressUrl);
  source.onmessage = (told) => {
    if (leaving) return;
    const event = JSON.parse(told.data);
    show(event);
    if (event.ready) ready();
    else if (event.failed) failed();
  };
  source.onerror = () => {
    if (leaving) return;
    lost.hidden = false;
    // While it is CONNECTING the browser tries again by itself.
    if (source.readyState === EventSource.CLOSED) lookAgain();
  };
}

/** A hub that has been restarted looks first whether the session still lives; it has no news then. */
function check() {
  const words = "The hub has been restarted and is looking for your session.";
  document.getElementById("skiva-headline").textContent = "Looking for your session";
  document.title = `Looking for your session – ${title}`;
  message.textContent = words;
  lookAgain();
}

/** The stream was refused: the hub restarts, or there is nothing to wait for any more. */
async function lookAgain() {
  while (!leaving) {
    await pause(wait * (0.8 + 0.4 * Math.random()));
    wait = Math.min(15, wait * 2);
    try {
      const answer = await fetch(window.location.href, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") return goOn();
      const text = await answer.text();
      if (text.includes('id="skiva-ended"')) return goOn();
      if (answer.ok && text.includes('data-pending="check"')) continue;
      if (answer.ok && text.includes('id="skiva-pending"')) return listen();
      if (answer.status === 403 || answer.status === 404) return goOn();
    } catch {
      // Nobody answers; try again.
    }
  }
}

function tell(kind, text) {
  status.hidden = false;
  status.className = `alert alert-${kind} py-2`;
  status.textContent = text;
}

function formUrl(choice) {
  const query = new URLSearchParams();
  for (const name of ["slice", "environment", "hours"]) {
    if (choice[name] !== undefined && choice[name] !== null) query.set(name, String(choice[name]));
  }
  const next = new URLSearchParams(window.location.search).get("next");
  if (next) query.set("next", next);
  return query.size ? `${spawnUrl}?${query}` : spawnUrl;
}

/** Give up this start, whatever stage it is in, and open the form with `choice`. */
async function leave(choice) {
  leaving = true;
  for (const button of page.querySelectorAll("button")) button.disabled = true;
  tell("info", "Cancelling…");
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      const answer = await fetch(serverUrl, { method: "DELETE", headers: hubHeaders() });
      if (answer.status === 204 || answer.status === 404) {
        window.location.assign(formUrl(choice));
        return;
      }
      // 202: it is stopping. 5xx: the start has not let go yet.
      if (answer.status >= 400 && answer.status < 500) break;
    } catch {
      tell("info", "Cancelling… the hub does not answer at the moment.");
    }
    await pause(1);
  }
  leaving = false;
  for (const button of page.querySelectorAll("button")) button.disabled = false;
  tell("danger", "It could not be cancelled. Please reload the page and try again.");
}

cancel.addEventListener("click", () => leave(options));
if ("Notification" in window && Notification.permission !== "denied") {
  notify.hidden = false;
  notify.addEventListener("click", async () => {
    wantsNotice = (await Notification.requestPermission()) === "granted";
    notify.disabled = true;
    notify.textContent = wantsNotice ? "You will be notified" : "Notifications are blocked";
  });
}

localTimes(page);
if (page.dataset.pending === "check") {
  check();
} else {
  showSteps("submitting");
  listen();
}
window._jupyterhub_page_loaded = true;
