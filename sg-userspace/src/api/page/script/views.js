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

const byName = () => [...reading.ports].sort((one, other) => inOrder.compare(nameOf(one), nameOf(other)));

function drawKnown() {
  const names = byName().map(nameOf);
  if (by("known").children.length !== names.length) by("known").replaceChildren(...names.map((name) => make("option", { value: name })));
}

function drawChoice() {
  const select = by("drops-port");
  if (select.children.length !== reading.ports.length + 1) {
    const options = byName().map((port) => make("option", { value: port.id }, nameOf(port)));
    select.replaceChildren(make("option", { value: "" }, "all ports"), ...options);
  }
  select.value = drops.port;
}

function route(event) {
  const [path, search] = location.hash.slice(1).split("?");
  const [name, argument] = path.split("/");
  const query = new URLSearchParams(search);
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
    if (query.has("port")) by("packet-port").value = portOf(query.get("port"))?.name || query.get("port");
    const direction = query.get("direction") === "egress" ? "egress" : "ingress";
    document.querySelector(`input[name=direction][value=${direction}]`).checked = true;
    if (query.has("words")) by("packet-words").value = query.get("words");
    if (query.get("words")) explain(query.get("port"), direction, query.get("words"));
  }
  if (view === "drops") {
    drops.port = query.get("port") ?? "";
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
    say(by("node"), reading.node ?? "");
    await VIEWS[view]();
    say(by("trouble"), "");
  } catch (error) {
    say(by("trouble"), error.message);
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
