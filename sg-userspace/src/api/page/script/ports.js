// The table of ports.

const STATES = {
  open: "▲", bypassed: "▲", outdated: "▲", audit: "◆", closed: "■", pending: "…", enforcing: "✓", unfiltered: "○", elsewhere: "–",
};
const COLUMNS = [
  { key: "name", title: "Port", of: nameOf },
  { key: "state", title: "State", of: (port) => Object.keys(STATES).indexOf(port.state) },
  { key: "groups", title: "Groups", of: (port) => port.groups.join(" ") },
  { key: "packets", title: "Packets/s", rate: true, of: (port) => rateOf(port, "packets") },
  { key: "bytes", title: "Bytes/s", rate: true, of: (port) => rateOf(port, "bytes") },
  { key: "drops", title: "Drops/s", rate: true, of: (port) => rateOf(port, "drops") },
  { key: "opened", title: "New connections/s", rate: true, of: (port) => rateOf(port, "opened") },
  { key: "share", title: "Share of quota", rate: true, of: shareOf },
];
const rows = new Map();
const shown = new Set();
const order = { key: "name", descending: false };

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const row = rows.get(target.dataset.key);
    if (!row) continue;
    if (isIntersecting) shown.add(row);
    else shown.delete(row);
    if (isIntersecting) row.update();
  }
});

const labelled = (state) => `${STATES[state] ?? "?"} ${state}`;

function makeRow(key) {
  const link = make("a");
  const place = make("small");
  const state = make("td", { role: "cell", "data-label": "State" });
  const groups = make("td", { role: "cell", "data-label": "Groups" });
  const rates = RATES.map((measure) => {
    const number = make("span");
    const path = draw("path");
    const spark = draw("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" }, path);
    const title = COLUMNS.find((column) => column.key === measure).title;
    const cell = make("td", { role: "cell", class: `rate ${measure}`, "data-label": title }, number, spark);
    return { measure, number, path, cell };
  });
  const used = draw("rect", { class: "used", height: 8, width: 0 });
  const bar = draw("svg", { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "room", height: 8, width: 100 }), used);
  const share = make("span");
  const held = make("td", { role: "cell", class: "rate", "data-label": "Share of quota" }, share, bar);
  const element = make("tr", { role: "row", "data-key": key },
    make("th", { role: "rowheader", scope: "row" }, link, place), state, groups, rates.map((rate) => rate.cell), held);
  const update = () => {
    const { port, series } = histories.get(key);
    say(link, nameOf(port));
    link.href = `#port/${encodeURIComponent(port.id)}`;
    say(place, port.interface + (port.vlan === null ? "" : `, VLAN ${port.vlan}`));
    say(state, labelled(port.state));
    state.className = `state state-${port.state}`;
    say(groups, port.groups.join(", ") || "–");
    for (const { measure, number, path } of rates) {
      const rate = series[measure].at(-1);
      say(number, rate === null ? "–" : compact.format(rate));
      number.className = rate ? "some" : "";
      path.setAttribute("d", line(series[measure]));
    }
    const part = shareOf(port);
    say(share, port.quota ? percent.format(part) : port.assured === null ? "–" : whole.format(port.assured));
    share.title = port.assured === null ? "" : `${plural(port.assured, "established connection", "established connections")}` +
      (port.quota ? ` of ${whole.format(port.quota)}` : "");
    bar.style.display = port.quota ? "" : "none";
    used.setAttribute("width", Math.min(100, 100 * part));
  };
  onScreen.observe(element);
  return { element, update };
}

/** A series as a line, with gaps where nothing is known. */
function line(series) {
  const most = Math.max(1, ...series);
  let pen = "M";
  return series.map((rate, index) => {
    if (rate === null) {
      pen = "M";
      return "";
    }
    const x = (100 * (index + KEPT - series.length)) / (KEPT - 1);
    const point = `${pen}${x.toFixed(1)} ${(19 - (18 * rate) / most).toFixed(1)}`;
    pen = "L";
    return point;
  }).join("");
}

function drawPorts() {
  const wanted = by("filter").value.trim().toLowerCase();
  const column = COLUMNS.find(({ key }) => key === order.key);
  const fits = (port) =>
    [port.name, port.id, port.interface, port.state, ...port.groups].join("\n").toLowerCase().includes(wanted);
  const compare = (one, other) => {
    const [a, b] = [column.of(one), column.of(other)];
    const difference = typeof a === "string" ? inOrder.compare(a, b) : a - b;
    return (order.descending ? -difference : difference) || inOrder.compare(nameOf(one), nameOf(other));
  };
  const keys = reading.ports.filter(fits).sort(compare).map(keyOf);
  for (const [key, row] of rows) {
    if (histories.has(key)) continue;
    onScreen.unobserve(row.element);
    shown.delete(row);
    rows.delete(key);
  }
  const elements = keys.map((key) => {
    if (!rows.has(key)) {
      rows.set(key, makeRow(key));
      rows.get(key).update();
    }
    return rows.get(key).element;
  });
  if (elements.length === 0) {
    const why = reading.ports.length === 0 ? "There are no ports on this node." : "No port fits the filter.";
    elements.push(make("tr", { role: "row", class: "empty" }, make("td", { role: "cell", colspan: COLUMNS.length }, why)));
  }
  const body = by("rows");
  if (elements.length !== body.children.length || elements.some((element, index) => element !== body.children[index])) {
    const focused = document.activeElement;
    body.replaceChildren(...elements);
    if (body.contains(focused)) focused.focus({ preventScroll: true });
  }
  shown.forEach((row) => row.update());
  say(by("matches"), wanted ? `${keys.length} of ${plural(reading.ports.length, "port", "ports")}` : "");
  drawTally();
}

function drawTally() {
  const states = Object.keys(STATES).map((state) => [state, reading.ports.filter((port) => port.state === state).length]);
  const counted = states.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  const sum = (measure) => compact.format(reading.ports.reduce((sum, port) => sum + rateOf(port, measure), 0));
  say(by("tally"),
    `${plural(reading.ports.length, "port", "ports")}${counted.length ? `: ${counted.join(", ")}` : ""}. ` +
    `Together ${sum("packets")} packets/s, ${sum("bytes")} bytes/s, ${sum("drops")} drops/s.`);
}

function sortBy(key, descending) {
  Object.assign(order, { key, descending });
  COLUMNS.forEach((column, index) => {
    const head = by("heads").children[index];
    const sorted = column.key === key;
    head.querySelector("button").textContent = column.title + (sorted ? (descending ? " ▼" : " ▲") : "");
    if (sorted) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  drawPorts();
}

for (const { key, title, rate } of COLUMNS) {
  const button = make("button", { type: "button" }, title);
  // Of rates the busiest are wanted first.
  button.addEventListener("click", () => sortBy(key, order.key === key ? !order.descending : Boolean(rate)));
  by("heads").append(make("th", { role: "columnheader", scope: "col", class: rate ? "rate" : undefined }, button));
}
by("filter").addEventListener("input", drawPorts);
