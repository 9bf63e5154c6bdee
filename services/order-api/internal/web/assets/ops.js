// Draws the charts of /ops from its table of points. The table is the ring buffer: it has the last 15 minutes.
"use strict";

const most = 180, table = document.getElementById("points"), section = table.closest("section");

// colour is that of a class, or of the section's border. A canvas knows no properties of CSS.
function colour(name) {
  if (name === "line") return getComputedStyle(section).borderTopColor;
  const probe = section.appendChild(document.createElement("i"));
  probe.className = name;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// data is that of the charts: times, placed, confirmed, ages.
function data() {
  const all = [[], [], [], []];
  for (const row of table.rows) {
    const values = row.dataset.point.split(" ").map(Number);
    all.forEach((column, i) => column.push(values[i] ?? null));
  }
  return all;
}

const utc = () => sessionStorage.getItem("times") === "UTC" ? {timeZone: "UTC"} : {};
const minutes = at => new Date(at * 1000).toLocaleTimeString("en-GB", {hour: "2-digit", minute: "2-digit", ...utc()});
const axis = more => ({gap: 6, stroke: () => colour("q"), font: "11px system-ui, sans-serif", grid: {stroke: () => colour("line"), width: 1}, ticks: {show: false}, ...more});
const series = (name, more) => ({stroke: () => colour(name), width: 1.5, points: {show: false}, ...more});

function line(u, from, to, name, dash) {
  const c = u.ctx;
  c.save();
  c.strokeStyle = colour(name);
  c.lineWidth = devicePixelRatio;
  c.setLineDash(dash.map(n => n * devicePixelRatio));
  c.beginPath();
  c.moveTo(...from);
  c.lineTo(...to);
  c.stroke();
  c.restore();
}

function words(u, text, x, y, align) {
  const c = u.ctx;
  c.save();
  c.fillStyle = colour("q");
  c.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  c.textAlign = align;
  c.fillText(text, x, y);
  c.restore();
}

// marks draws the recent changes as dotted lines. Of those that are close together one has words.
function marks(u) {
  const {left, top, width, height} = u.bbox;
  let free = left;
  for (const li of [...document.querySelectorAll("#changes [data-words]")].reverse()) {
    const x = u.valToPos(Number(li.dataset.at), "x", true);
    if (!(x >= left && x <= left + width)) continue;
    line(u, [x, top], [x, top + height], "q", [2, 3]);
    const length = (li.dataset.words.length * 6 + 10) * devicePixelRatio, gap = 5 * devicePixelRatio, y = top + 2 * gap;
    const fits = x + length <= left + width; // else the words are on the left
    if ((fits ? x : x - length) < free) continue;
    free = fits ? x + length : x;
    words(u, li.dataset.words, fits ? x + gap : x - gap, y, fits ? "left" : "right");
  }
}

function limit(u) {
  const {left, width} = u.bbox, {limit, words: text} = u.root.parentElement.dataset;
  if (!Number(limit)) return;
  const y = u.valToPos(Number(limit), "y", true);
  line(u, [left, y], [left + width, y], "dead", [5, 4]);
  words(u, text, left + width, y - 4 * devicePixelRatio, "right");
}

// alone are the indexes of values between gaps, which no line shows.
const alone = (u, i) => u.data[i].flatMap((v, at, all) => v != null && all[at - 1] == null && all[at + 1] == null ? [at] : []);

function chart(id, options) {
  const box = document.getElementById(id), now = Date.now() / 1000;
  const u = new uPlot({
    width: box.clientWidth, height: box.clientHeight, cursor: {show: false}, legend: {show: false}, ...options,
    scales: {x: {range: (u, from, to) => [(to ?? now) - 900, to ?? now]}, ...options.scales},
  }, null, box);
  new ResizeObserver(() => u.setSize({width: box.clientWidth, height: box.clientHeight})).observe(box);
  return u;
}

const time = show => axis({show, size: 24, grid: {show: false}, values: (u, all) => all.map(minutes), space: 90});
const rates = chart("plot-rates", {
  scales: {y: {range: (u, from, to) => [0, Math.max(1, (to ?? 0) * 1.2)]}},
  axes: [time(true), axis({size: 38, space: 34})],
  series: [{}, series("ink"), series("ok")],
  hooks: {draw: [marks]},
});
const age = chart("plot-age", {
  scales: {y: {distr: 3, range: (u, from, to) => [0.1, 2 * Math.max(60, Number(u.root?.parentElement?.dataset.limit ?? 0), to ?? 0)]}},
  axes: [time(false), axis({size: 50, splits: () => [0.1, 1, 10, 60], values: () => ["0.1 s", "1 s", "10 s", "1 min"], filter: (u, all) => all})],
  series: [{}, series("ink", {points: {show: true, size: 4, fill: () => colour("ink"), filter: alone}})],
  hooks: {draw: [limit]},
});

function draw() {
  const [at, placed, confirmed, ages] = data();
  rates.setData([at, placed, confirmed]);
  age.setData([at, ages.map(n => n === null ? null : Math.max(n, 0.1))]);
}

// The table gets rows that are newer than its own, and loses the oldest.
document.addEventListener("points", e => {
  const at = row => Number(row?.dataset.point.split(" ")[0] ?? 0);
  let last = at(table.rows[table.rows.length - 1]);
  for (const row of [...e.detail.querySelectorAll("tr")]) {
    if (at(row) <= last) continue;
    last = at(row);
    table.append(row);
  }
  while (table.rows.length > most || at(table.rows[0]) <= last - 5 * most) table.rows[0].remove();
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
