// Which view is seen, and the readings that all of them are drawn from.

const READ_EVERY = 2000;

let view = "ports";
let asked = "";
let held = false;

const VIEWS = {
  ports: () => drawPorts(),
  port: async () => {
    const id = asked;
    const detail = await ask(`/page/ports/${encodeURIComponent(id)}`);
    if (view === "port" && asked === id) drawPort(detail);
  },
  explain: () => drawKnown(),
  drops: () => {
    drawDropsStatus();
    drawChoice();
  },
};

function drawKnown() {
  const names = reading.ports.map(nameOf);
  if (by("known").children.length !== names.length) by("known").replaceChildren(...names.map((name) => make("option", { value: name })));
}

function drawChoice() {
  const select = by("drops-port");
  if (select.children.length !== reading.ports.length + 1) {
    const options = reading.ports.map((port) => make("option", { value: port.id }, nameOf(port)));
    select.replaceChildren(make("option", { value: "" }, "all ports"), ...options);
  }
  select.value = drops.port;
}

function route(event) {
  const [path, query] = location.hash.slice(1).split("?");
  const [name, argument] = path.split("/");
  const words = new URLSearchParams(query);
  view = name in VIEWS ? name : "ports";
  asked = argument ? decodeURIComponent(argument) : "";
  for (const other of Object.keys(VIEWS)) by(`view-${other}`).hidden = other !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.hash === `#${view === "port" ? "ports" : view}`;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  walking += 1;
  if (view !== "drops") unfollow();
  if (view === "port") {
    by("title-port").textContent = "Port";
    by("facts").replaceChildren();
    by("ways").replaceChildren();
    drawn = {};
  }
  if (view === "explain") {
    if (words.has("port")) by("packet-port").value = portOf(words.get("port"))?.name || words.get("port");
    const direction = words.get("direction") === "egress" ? "egress" : "ingress";
    document.querySelector(`input[name=direction][value=${direction}]`).checked = true;
    if (words.has("words")) by("packet-words").value = words.get("words");
    if (words.get("words")) explain(words.get("port"), direction, words.get("words"));
  }
  if (view === "drops") {
    drops.port = words.get("port") ?? "";
    clearDrops();
    follow();
  }
  const title = by(`title-${view}`);
  document.title = `${title.textContent} – sgd`;
  // Who came by a link is taken to what it led to.
  if (event) title.focus({ preventScroll: true });
  if (event) scrollTo(0, 0);
  refresh();
}

async function refresh() {
  if (document.hidden || (held && view === "ports")) return;
  try {
    note(await ask("/page/ports"));
    by("node").textContent = reading.node ?? "";
    await VIEWS[view]();
    by("trouble").textContent = "";
  } catch (error) {
    by("trouble").textContent = error.message;
  }
}

press(by("hold"), (pressed) => {
  held = pressed;
});
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", refresh);
sortBy("name", false);
await refresh();
route();
setInterval(refresh, READ_EVERY);
