// Tells of new mails, and moves by keys. The pages work without it.
"use strict";

const byID = id => document.getElementById(id), shown = Number(document.body.dataset.newest);
let source;

function follow() {
  source?.close();
  if (document.hidden) return; // browsers have six connections to a host, for all tabs together
  source = new EventSource("/events");
  source.onopen = () => { byID("live").hidden = false; };
  source.onerror = () => { byID("live").hidden = true; };
  source.onmessage = e => {
    const n = Number(e.data) - shown;
    if (n <= 0) return;
    const words = `${n.toLocaleString("en")} new mail${n === 1 ? "" : "s"}`;
    byID("new").textContent = `${words} · show`;
    byID("new").hidden = false;
    byID("status").textContent = `${words}.`;
  };
}
if ("newest" in document.body.dataset) {
  document.addEventListener("visibilitychange", follow);
  follow();
}

document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input")) return;
  if (e.key === "/") { e.preventDefault(); byID("q").focus(); }
  const links = [...document.querySelectorAll(".mails a")], step = {j: 1, k: -1}[e.key];
  if (!step || !links.length) return;
  let at = links.indexOf(document.activeElement);
  if (at < 0) at = links.findIndex(link => link.ariaCurrent);
  links[Math.max(0, Math.min(links.length - 1, at + step))].focus();
});
