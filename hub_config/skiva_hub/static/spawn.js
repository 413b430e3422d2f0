// The spawn page: live numbers on the cards, the hours' bounds, one Start.
import { clock, fill, hubHeaders, localTimes } from "./common.js";

const EVERY = 3;
const SLOWEST = 30;
const PIPS = 16;
const SVG = "http://www.w3.org/2000/svg";

const form = document.getElementById("skiva-form");
const hours = document.getElementById("skiva-hours");
const live = document.getElementById("skiva-live");
const stale = document.getElementById("skiva-stale");
const start = document.getElementById("skiva-start");
const account = document.getElementById("skiva-account");
let wished = account?.value;
let board = JSON.parse(form.dataset.board);
let said = "";
let started = false;

function picked() {
  return form.querySelector("input[name=slice]:checked");
}

function rect(parent, kind, x, width) {
  const bar = document.createElementNS(SVG, "rect");
  bar.setAttribute("class", kind);
  bar.setAttribute("x", `${x}%`);
  bar.setAttribute("y", kind === "out" ? "1" : "0");
  bar.setAttribute("width", `${Math.max(0, width)}%`);
  bar.setAttribute("height", kind === "out" ? "6" : "8");
  bar.setAttribute("rx", "1.5");
  parent.append(bar);
}

/** One piece for each slice where they are few, one piece for each kind where they are many. */
function drawBar(svg, card) {
  svg.replaceChildren();
  if (!card.total) return;
  const amounts = [
    ["used", card.in_use],
    ["free", card.free],
    ["out", card.drained + card.kept],
  ];
  // What is neither (no room beside it on its node) is not free.
  amounts[0][1] += Math.max(0, card.total - card.in_use - card.free - card.drained - card.kept);
  const pieces =
    card.total <= PIPS
      ? amounts.flatMap(([kind, amount]) => Array(amount).fill([kind, 1]))
      : amounts.filter(([, amount]) => amount > 0);
  const gap = 1;
  const room = 100 - gap * (pieces.length - 1);
  let x = 0;
  for (const [kind, amount] of pieces) {
    const width = (room * amount) / card.total;
    rect(svg, kind, x, width);
    x += width + gap;
  }
}

function numbers(card) {
  if (card.total === null) return "";
  const parts = [`${card.in_use} of ${card.total} in use`];
  if (card.drained) parts.push(`${card.drained} out of service`);
  if (card.kept) parts.push(`${card.kept} on reserved nodes`);
  if (card.waiting) parts.push(`${card.waiting} waiting`);
  return parts.join(", ");
}

function showCard(card) {
  const element = form.querySelector(`[data-slice="${CSS.escape(card.id)}"]`);
  if (!element) return;
  const count = element.querySelector(".skiva-count");
  count.textContent = card.total === null || (card.kept && !card.free) ? "?" : `${card.free} free`;
  count.dataset.status = card.status;
  element.querySelector(".skiva-numbers").textContent = numbers(card);
  const starts = element.querySelector(".skiva-starts");
  starts.dataset.status = card.status;
  fill(starts, card.starts, card.starts_at);
  const ends = element.querySelector(".skiva-ends");
  ends.hidden = !card.ends;
  fill(ends, card.ends, card.ends_at);
  element.querySelector("input[name=slice]").dataset.maxHours = card.max_hours;
  element.querySelector(".skiva-longest").textContent = `up to ${card.longest}`;
  drawBar(element.querySelector(".skiva-bar"), card);
}

/** Tell those who listen, once for each change of the slice that they chose. */
function announce() {
  const card = board.slices.find((one) => one.id === picked()?.value);
  if (!card) return;
  const words = card.total === null ? card.starts : `${card.title}: ${card.free} of ${card.total} free.`;
  if (said && said !== words) live.textContent = words;
  said = words;
}

function showBoard() {
  form.classList.toggle("skiva-old", board.notice !== null);
  stale.hidden = board.notice === null;
  if (board.notice) fill(stale, board.notice.text, board.notice.at);
  board.slices.forEach(showCard);
  showSummary();
  announce();
}

/** What the chosen environment wants and the chosen slice has not, in words; only a need keeps from starting. */
function unfit(card, environment) {
  if (!card || !environment || environment.gpu === "unused" || (card.gpu && !card.simulated)) return "";
  const lacks = card.gpu
    ? `${card.title} is simulated: there is no GPU behind it`
    : `${card.title} has no GPU`;
  if (environment.gpu === "helps") {
    return `${lacks}. ${environment.title} works there, and computes on the processor's cores.`;
  }
  return card.gpu
    ? `${lacks}. ${environment.title} needs one: it starts, but cannot compute on it.`
    : `${lacks}, and ${environment.title} needs one. Please choose another slice or environment.`;
}

/** The account that pays: the one that was asked for, where it can pay for the chosen slice. */
function charge(card) {
  const able = card?.charges ?? [];
  if (account) {
    for (const option of account.options) {
      option.disabled = able.length > 0 && !able.some((one) => one.account === option.value);
    }
    account.value = able.length === 0 || able.some((one) => one.account === wished) ? wished : able[0].account;
  }
  return able.find((one) => one.account === account?.value) ?? able[0];
}

/** What the session costs, and what is left to pay it with, as far as Slurm tells. */
function cost(card, pays, amount) {
  const parts = [];
  if (card && card.price !== null && amount > 0) {
    parts.push(`Costs ${Number((card.price * amount).toPrecision(3))} billing hours.`);
  }
  if (account && pays && pays.account !== wished) {
    parts.push(`${wished} cannot pay for this slice; ${pays.account} does.`);
  }
  if (pays?.budget) parts.push(`${pays.budget}.`);
  if (pays?.waits) parts.push(pays.waits);
  else if (pays && pays.hours !== null && amount > pays.hours) {
    parts.push(`That pays for ${Number(pays.hours.toPrecision(3))} h of this slice: a longer session would wait.`);
  }
  return parts.join(" ");
}

function showCost() {
  const card = board.slices.find((one) => one.id === picked()?.value);
  const told = document.getElementById("skiva-cost");
  const words = cost(card, charge(card), Number(hours.value));
  told.hidden = !words;
  if (told.textContent !== words) told.textContent = words;
}

function showFit() {
  const card = board.slices.find((one) => one.id === picked()?.value);
  const field = form.querySelector("input[name=environment]:checked, input[name=environment][type=hidden]");
  const environment = board.environments.find((one) => one.id === field?.value);
  const words = unfit(card, environment);
  const fit = document.getElementById("skiva-fit");
  fit.hidden = !words;
  if (fit.textContent !== words) fit.textContent = words;
  const impossible = words !== "" && environment.gpu === "required" && !card.gpu;
  start.disabled = started || !card?.startable || !environment || impossible;
  const parts = [card?.title, environment?.title].filter(Boolean);
  document.getElementById("skiva-chosen").textContent = parts.join(" \u00b7 ");
}

function showSummary() {
  showFit();
  showCost();
  const radio = picked();
  if (!radio) return;
  hours.max = radio.dataset.maxHours;
  const amount = Number(hours.value);
  for (const button of form.querySelectorAll(".skiva-quick")) {
    const quick = Number(button.dataset.hours);
    button.disabled = quick > Number(hours.max);
    button.setAttribute("aria-pressed", String(quick === amount));
    button.classList.toggle("active", quick === amount);
  }
  const summary = document.getElementById("skiva-summary");
  const fits = amount > 0 && amount <= Number(hours.max);
  hours.classList.toggle("is-invalid", !fits);
  summary.textContent = fits
    ? `If it starts now, it ends at ${clock(Date.now() + amount * 3600e3)}. What is not saved then is lost.`
    : `At most ${hours.max} hours on this slice.`;
}

async function refresh() {
  const url = `${window.jhdata.base_url}api/skiva/slices`;
  const answer = await fetch(url, { headers: hubHeaders(), cache: "no-cache" });
  if (answer.status === 403) throw new Error("signed out");
  if (!answer.ok) throw new Error(`the hub answered ${answer.status}`);
  board = await answer.json();
  showBoard();
}

function silent(since) {
  form.classList.add("skiva-old");
  stale.hidden = false;
  fill(stale, "The hub does not answer at the moment; numbers are from {time}.", since);
}

/** Ask while the page is in sight; more slowly while nobody answers. */
function keepFresh() {
  let wait = EVERY;
  let timer = null;
  let last = new Date().toISOString();
  const tick = async () => {
    timer = null;
    if (document.hidden) return;
    try {
      await refresh();
      last = new Date().toISOString();
      wait = EVERY;
    } catch {
      silent(last);
      wait = Math.min(SLOWEST, wait * 2);
    }
    if (!document.hidden && timer === null) timer = setTimeout(tick, 1000 * wait * (0.9 + 0.2 * Math.random()));
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer === null) tick();
  });
  timer = setTimeout(tick, 1000 * EVERY);
}

form.addEventListener("change", (event) => {
  if (event.target === account) wished = account.value;
  showSummary();
  said = "";
  announce();
});
hours.addEventListener("input", showSummary);
for (const button of form.querySelectorAll(".skiva-quick")) {
  button.addEventListener("click", () => {
    hours.value = button.dataset.hours;
    showSummary();
  });
}
form.closest("form").addEventListener("submit", () => {
  started = true;
  start.disabled = true;
  start.querySelector(".fa").hidden = false;
  start.querySelector("span").textContent = "Starting…";
});
// A page that comes back from the browser's cache can be sent again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  started = false;
  showFit();
  start.querySelector(".fa").hidden = true;
  start.querySelector("span").textContent = "Start";
});

localTimes(form);
showBoard();
showSummary();
keepFresh();
setInterval(showSummary, 30e3);
window._jupyterhub_page_loaded = true;
