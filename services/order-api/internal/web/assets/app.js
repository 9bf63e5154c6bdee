// Adds to pages what HTML cannot do: live cells, times of the reader's zone, keys, copying. Pages work without it.
"use strict";

const root = document.documentElement, byID = id => document.getElementById(id);

// ---- forms that send themselves when a choice changes ----
for (const button of document.querySelectorAll("[data-hide]")) button.hidden = true;
document.addEventListener("change", e => {
  const form = e.target.form;
  if (!form) return;
  if ("auto" in form.dataset) form.requestSubmit(form.querySelector("[value=ship]"));
  if (e.target.dataset.autoBy) form.requestSubmit(form.querySelector(`[value=${e.target.dataset.autoBy}]`));
});

// ---- times: those of lists are relative and the others local, until t switches all to relative, local or UTC ----
const modes = ["mixed", "relative", "local", "UTC"];
let mode = sessionStorage.getItem("times") ?? modes[0];
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
  return new Intl.RelativeTimeFormat("en", {numeric: "auto"}).format(Math.trunc(seconds / size), unit);
}

function showTimes(within) {
  for (const el of within.querySelectorAll("time[datetime]")) {
    el.dataset.utc ??= el.textContent;
    const at = new Date(el.dateTime), withDay = el.dataset.utc.includes(",");
    if (mode === "UTC") el.textContent = el.dataset.utc;
    else if (mode === "relative" || mode === "mixed" && el.className === "ago") el.textContent = relative(at);
    else el.textContent = new Intl.DateTimeFormat("en-GB", {...(withDay && {day: "numeric", month: "short", year: "numeric"}), timeStyle: undefined, hour: "2-digit", minute: "2-digit", second: "2-digit"}).format(at);
  }
  byID("zone").textContent = mode === "relative" ? "Times relative to now." : `Times in ${mode === "UTC" ? "UTC" : zone}.`;
}
showTimes(document);
setInterval(() => showTimes(document), 30000); // relative times grow

// ---- copy buttons ----
function showCopies(within) {
  for (const button of within.querySelectorAll("button.copy")) button.hidden = !navigator.clipboard;
}
showCopies(document);
document.addEventListener("click", async e => {
  const button = e.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  say("Copied.");
});

function say(text) { byID("status").textContent = text; }

// ---- live cells: each event has elements, which replace those with their IDs ----
const waiting = new Map(); // elements for cells under the pointer or with the focus

function parse(html) {
  const t = document.createElement("template");
  t.innerHTML = html;
  showTimes(t.content);
  showCopies(t.content);
  return t.content;
}

function patch(html) {
  for (const now of parse(html).querySelectorAll("[id]")) {
    if (!now.matches(".head, .news, section, details, li")) continue;
    const old = byID(now.id);
    if (!old || old.isEqualNode(now)) continue;
    if (old.contains(document.activeElement) || old.matches(":hover") && old.querySelector("form")) waiting.set(now.id, now);
    else swap(old, now);
  }
  if (byID("head")?.dataset.ended) disconnect(); // no change can follow
  if (byID("news")?.querySelector("a")) say(byID("news").textContent);
  const title = byID("head")?.dataset.title;
  if (title && !document.title.startsWith(title)) {
    document.title = title + " · Trail Goods";
    say(title);
  }
}

function swap(old, now) {
  if (old.open) now.open = true;
  old.replaceWith(now);
}

for (const event of ["focusout", "pointerout"]) document.addEventListener(event, () => setTimeout(() => {
  for (const [id, now] of waiting) {
    const old = byID(id);
    if (old.contains(document.activeElement) || old.matches(":hover")) continue;
    waiting.delete(id);
    swap(old, now);
  }
}));

const stream = document.body.dataset.live;
let source, release, heard, tries = 0, timer, turn = 0;

// A browser has six connections to a host, for all its windows together. Four of them are lanes for streams; a page that
// gets none visits the stream every 10 s, for one event. lane returns how to release a lane, or undefined.
async function lane() {
  if (!navigator.locks) return () => {}; // not a secure context
  for (let n = 0; n < 4; n++) {
    const end = await new Promise(resolve => navigator.locks.request(`stream-${n}`, {ifAvailable: true}, lock => {
      if (!lock) return resolve();
      return new Promise(end => resolve(end));
    }));
    if (end) return end;
  }
}

function disconnect() {
  turn++;
  clearTimeout(timer);
  source?.close();
  release?.();
  source = release = undefined;
}

async function connect() {
  disconnect();
  const mine = turn, free = await lane();
  if (mine !== turn) return free?.();
  release = free;
  source = new EventSource(stream);
  const alive = () => {
    heard = Date.now();
    tries = 0;
    stale(false);
    if (free || mine !== turn) return;
    disconnect();
    timer = setTimeout(connect, 10000);
  };
  source.addEventListener("beat", alive);
  source.addEventListener("points", e => document.dispatchEvent(new CustomEvent("points", {detail: parse(e.data)})));
  source.addEventListener("cells", e => { patch(e.data); alive(); });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again
    disconnect();
    stale(true);
    timer = setTimeout(connect, Math.min(500 * 2 ** tries++, 60000) * (0.5 + Math.random()));
  };
}

function stale(is) {
  const live = byID("live");
  live.hidden = false;
  live.classList.toggle("stale", is);
  live.textContent = is ? `Stale, ${Math.round((Date.now() - heard) / 1000)} s` : "Live";
  byID("stale").hidden = !is;
}

if (stream) {
  heard = Date.now();
  // A hidden tab needs no lane.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else connect();
  });
  if (!document.hidden) connect();
  setInterval(() => { if (!document.hidden && Date.now() - heard > 30000) stale(true); }, 1000);
}

// ---- the end of the session: a warning two minutes before, in which a use makes it end later ----
const expiry = byID("expiry"), warned = 120; // seconds
let sessionTimer;

// showSession shows what the server says: in how many seconds the session ends, and in how many after another use.
async function showSession(request) {
  const answer = await fetch(...request).catch(() => undefined);
  const ended = answer?.status === 401;
  if (!answer?.ok && !ended) return plan(warned + 30); // the server cannot be reached: look again in 30 s
  const [left, most] = ended ? [0, 0] : (await answer.text()).split(" ").map(Number);
  plan(left);
  const state = left > warned ? "" : left ? most > left ? "soon" : "last" : "ended";
  if (expiry.dataset.state === state) return;
  expiry.dataset.state = state;
  expiry.hidden = !state;
  expiry.querySelector("button").hidden = state !== "soon";
  expiry.querySelector("a").hidden = state === "soon";
  const at = new Date(Date.now() + left * 1000).toLocaleTimeString("en-GB"), again = " Sign in again in a new tab: what you typed stays on this page.";
  byID("expires").textContent = {soon: `Your session ends at ${at}, because it was not used.`, last: `Your session ends at ${at}.` + again, ended: "Your session has ended." + again}[state] ?? "";
}

function lookAtSession() { showSession(["/sign-in/left"]); }

function plan(left) {
  clearTimeout(sessionTimer);
  if (left) sessionTimer = setTimeout(lookAtSession, 1000 * (left > warned ? left - warned : left));
}

if (expiry) {
  plan(Number(expiry.dataset.left));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) lookAtSession(); });
  expiry.addEventListener("submit", async e => {
    e.preventDefault();
    await showSession([expiry.action, {method: "POST", body: new URLSearchParams({act: "stay"})}]);
    if (expiry.hidden) say("You stay signed in.");
  });
}

// ---- keys: they move, open and select, and never act ----
let go = 0, marked; // marked: the row that x selected last

// move focuses the link of another row, which Enter opens.
function move(rows, step) {
  const at = rows.findIndex(row => row.contains(document.activeElement));
  const next = at < 0 ? step > 0 ? 0 : rows.length - 1 : Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[next]?.querySelector("a[href]").focus();
}

// select changes the boxes of the rows: that of the row with the focus, of those up to it, or all.
function select(rows, key) {
  const boxes = rows.map(row => row.querySelector("input[type=checkbox]")), at = rows.findIndex(row => row.contains(document.activeElement));
  if (!boxes[0] || at < 0 && key !== "*") return;
  const all = boxes.every(box => box.checked), from = rows.indexOf(marked);
  if (key === "*") for (const box of boxes) box.checked = !all;
  else if (key === "X" && from >= 0) for (const box of boxes.slice(Math.min(from, at), Math.max(from, at) + 1)) box.checked = boxes[from].checked;
  else boxes[at].checked = !boxes[at].checked;
  if (at >= 0) marked = rows[at];
  say(`${boxes.filter(box => box.checked).length} selected.`);
}

function follow(selector) { document.querySelector(selector)?.click(); }

// In the editor, Ctrl+Enter saves. It is no single key, so it cannot be switched off.
document.addEventListener("keydown", e => {
  const save = e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.form?.querySelector("[value=save]");
  if (save) e.target.form.requestSubmit(save);
});

if (root.dataset.keys !== "off") {
  byID("keys").hidden = false;
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
    const place = Date.now() - go < 1500 && [...document.querySelectorAll(".places a")].find(a => a.dataset.go === e.key);
    if (place) return place.click();
    go = e.key === "g" ? Date.now() : 0;
    const rows = [...document.querySelectorAll("main .t tbody tr")].filter(row => row.querySelector("a[href]"));
    const search = byID("q") ?? byID("find");
    if (e.key === "/" && search) { e.preventDefault(); search.focus(); }
    if (e.key === "?") byID("help").showModal();
    if (e.key === "j") move(rows, 1);
    if (e.key === "k") move(rows, -1);
    if (["x", "X", "*"].includes(e.key)) select(rows, e.key);
    if (e.key === "n") follow("a[rel=next]");
    if (e.key === "p") follow("a[rel=prev]");
    if (e.key === "e") follow(`.sticky a[href$="/edit"]`);
    if (e.key === "t") {
      mode = modes[(modes.indexOf(mode) + 1) % modes.length];
      sessionStorage.setItem("times", mode);
      showTimes(document);
    }
  });
}
