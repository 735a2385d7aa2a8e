// What is refused now.

const LINES = 200;
const SAY_EVERY = 4000;
const PROTOCOLS = { 1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmp", 132: "sctp", 136: "udplite" };
const drops = { source: undefined, retry: undefined, port: "", seen: 0, lost: 0, held: false, state: "", news: "", said: 0 };

function endpoint(address, port) {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function packetText(packet) {
  const vlan = packet.vlan === undefined ? "" : `VLAN ${packet.vlan} `;
  if (packet.source === undefined) {
    const type = packet.frame?.slice(24, 28);
    return `${vlan}${type === "0806" ? "ARP" : type ? `ethertype 0x${type}` : "frame"}, ${plural(packet.length, "byte", "bytes")}`;
  }
  const kind = packet.icmp_type === undefined ? "" : ` type ${packet.icmp_type} code ${packet.icmp_code}`;
  const flags = packet.tcp_flags ? ` ${packet.tcp_flags}` : "";
  return `${vlan}${PROTOCOLS[packet.protocol] ?? `protocol ${packet.protocol}`} ` +
    `${endpoint(packet.source, packet.source_port)} > ${endpoint(packet.destination, packet.destination_port)}${kind}${flags}`;
}

/** The packet in the words of the form; none for what has no addresses. */
function packetWords(packet) {
  if (packet.source === undefined) return undefined;
  const mac = packet.frame?.slice(12, 24).match(/../g)?.join(":");
  return [
    PROTOCOLS[packet.protocol] ?? packet.protocol,
    endpoint(packet.source, packet.source_port),
    endpoint(packet.destination, packet.destination_port),
    packet.tcp_flags ? `--flags ${packet.tcp_flags.toLowerCase()}` : "",
    packet.icmp_type === undefined ? "" : `--type ${packet.icmp_type} --code ${packet.icmp_code}`,
    packet.direction === "egress" && mac ? `--src-mac ${mac}` : "",
  ].filter(Boolean).join(" ");
}

const two = "2-digit";
const clock = new Intl.DateTimeFormat("en-GB", { hour: two, minute: two, second: two, fractionalSecondDigits: 3 });
const at = (time) => clock.format(new Date(time));

function dropRow(told) {
  const port = portOf(told.port);
  const name = make("a", { href: `#port/${encodeURIComponent(told.port)}` }, port ? nameOf(port) : told.port);
  const cell = (label, ...children) => make("td", { role: "cell", class: label.toLowerCase(), "data-label": label }, children);
  if (told.lost !== undefined) {
    const why = told.why === "reader" ? "the page read too slowly" : "there were more than a page is told";
    return make("tr", { role: "row", class: "lost" }, cell("Time", at(told.time)), cell("Port", name),
      make("td", { role: "cell", colspan: 3 }, `▲ ${plural(told.lost, "packet was", "packets were")} refused and not told: ${why}`));
  }
  const words = packetWords(told);
  const link = words && make("a", { href: `#explain?${new URLSearchParams({ port: told.port, direction: told.direction, words })}` }, "Explain it");
  const packet = make("td", { role: "cell", class: "wide", "data-label": "Packet" }, make("code", {}, packetText(told)), link ? make("small", {}, link) : null);
  const reason = make("td", { role: "cell", class: "wide", "data-label": "Reason" }, make("code", {}, told.reason), make("small", {}, told.sentence ?? ""));
  const way = told.direction === "ingress" ? "↓ to the VM" : "↑ from the VM";
  return make("tr", { role: "row" }, cell("Time", at(told.time)), cell("Port", name), cell("Way", way), packet, reason);
}

function take(told) {
  if (told.lost === undefined) drops.seen += 1;
  else drops.lost += told.lost;
  if (drops.held) return;
  const body = by("dropped");
  body.querySelector(".empty")?.remove();
  body.prepend(dropRow(told));
  while (body.children.length > LINES) body.lastElementChild.remove();
}

/** It is read aloud: numbers come every few seconds, not with each packet, and none while it is paused. */
function drawDropsStatus() {
  const counts = `${plural(drops.seen, "packet", "packets")} told, ${whole.format(drops.lost)} refused and not told.`;
  const news = drops.held ? "Paused: what comes is counted and not shown." : drops.state;
  if (drops.news !== news || (!drops.held && Date.now() - drops.said > SAY_EVERY)) {
    say(by("drops-status"), `${news} ${counts}`);
    Object.assign(drops, { news, said: Date.now() });
  }
  if (by("dropped").children.length === 0) {
    by("dropped").append(make("tr", { role: "row", class: "empty" }, make("td", { role: "cell", colspan: 5 }, "Nothing was refused since this view was opened.")));
  }
}

function clearDrops() {
  Object.assign(drops, { seen: 0, lost: 0, news: "" });
  by("dropped").replaceChildren();
  drawDropsStatus();
}

function follow() {
  unfollow();
  const address = drops.port ? `/page/drops?${new URLSearchParams({ port: drops.port })}` : "/page/drops";
  drops.state = "Connecting.";
  drops.source = new EventSource(address);
  drops.source.onopen = () => {
    drops.state = "Following.";
    drawDropsStatus();
  };
  drops.source.onmessage = (event) => take(JSON.parse(event.data));
  drops.source.onerror = () => {
    drops.state = "Not connected: the daemon is away, or enough pages follow already. Trying again.";
    if (drops.source?.readyState === EventSource.CLOSED) drops.retry = setTimeout(follow, 5000);
    drawDropsStatus();
  };
  drawDropsStatus();
}

function unfollow() {
  clearTimeout(drops.retry);
  drops.source?.close();
  drops.source = undefined;
}

press(by("drops-hold"), (held) => {
  drops.held = held;
  drawDropsStatus();
});
by("drops-clear").addEventListener("click", clearDrops);
by("drops-port").addEventListener("change", () => {
  const port = by("drops-port").value;
  location.hash = port ? `#drops?${new URLSearchParams({ port })}` : "#drops";
});
