// A port, and its filter as a picture.

const WAYS = { egress: "From the VM (egress)", ingress: "To the VM (ingress)" };
const OUTCOMES = { accept: "✓ accept", drop: "✕ drop", continue: "↓ goes on" };

const ruleText = (rule) => `${rule.text} (${rule.security_group})`;

/** The stages in the order in which a packet meets them. The stem is as wide as what is still on its way there. */
function makeChain(stages) {
  const parts = stages.map((stage) => {
    const stem = draw("polygon");
    const count = make("span", { class: "count" });
    const rules = stage.rules ?? [];
    const held = rules.map(() => make("span", { class: "quiet" }));
    const element = make("li", { class: `stage ${stage.outcome}`, "data-stage": stage.stage },
      draw("svg", { class: "stem", viewBox: "0 0 20 10", preserveAspectRatio: "none", "aria-hidden": "true" }, stem),
      make("div", { class: "what" },
        make("span", { class: "name" }, stage.stage), " ", make("span", { class: "text" }, stage.text),
        stage.values?.length ? make("div", { class: "values" }, make("code", {}, stage.values.join(", "))) : null,
        stage.stage !== "rules" ? null
          : rules.length === 0 ? make("div", {}, "There are none.")
          : make("ul", { class: "rules" }, rules.map((rule, index) => make("li", { "data-rule": rule.id }, ruleText(rule), held[index])))),
      make("div", { class: "exit" }, make("span", { class: "outcome" }, OUTCOMES[stage.outcome]), count));
    return { element, stem, count, held };
  });
  const update = (stages) => {
    let left = stages.reduce((sum, stage) => sum + stage.count.packets, 0);
    const scale = Math.log1p(left) || 1;
    const half = () => 1 + (9 * Math.log1p(left)) / scale;
    stages.forEach((stage, index) => {
      const { stem, count, held } = parts[index];
      const top = left > 0 ? half() : 1;
      left -= stage.count.packets;
      const bottom = left > 0 ? half() : 1;
      stem.setAttribute("points", `${10 - top},0 ${10 + top},0 ${10 + bottom},10 ${10 - bottom},10`);
      say(count, plural(stage.count.packets, "packet", "packets"));
      (stage.rules ?? []).forEach((rule, at) => {
        const flows = rule.flows ? `, ${plural(rule.flows, "connection", "connections")}` : "";
        say(held[at], `${flows}, last hit ${rule.last_hit ? day.format(new Date(rule.last_hit)) : "never"}`);
      });
    });
  };
  update(stages);
  return { element: make("ol", { class: "chain" }, parts.map((part) => part.element)), parts, update };
}

// The locale whose dates are those of ISO 8601.
const day = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });

const shape = (detail) => JSON.stringify(Object.keys(WAYS).map((way) =>
  detail[way].map((stage) => [stage.stage, stage.text, stage.values, stage.rules?.map((rule) => [rule.id, rule.text])])));
let drawn = {};

function drawPort(detail) {
  say(by("title-port"), nameOf(detail));
  const row = portOf(detail.id);
  const connections = row?.assured === null || !row ? "–"
    : `${whole.format(row.assured)} established` + (row.quota ? ` of ${whole.format(row.quota)}` : "");
  const facts = [
    ["State", labelled(detail.state) + (detail.note ? `: ${detail.note}` : "")],
    ...(detail.troubles ?? []).map((trouble) => ["Trouble", `${trouble.interface} ${trouble.problem}. ${trouble.remedy}`]),
    ["Interface", detail.interface + (detail.vlan === undefined ? "" : `, VLAN ${detail.vlan}`)],
    ["MAC address", detail.mac_address ?? "–"],
    ["Addresses", detail.addresses.join(", ") || "–"],
    ["Groups", detail.security_groups.join(", ") || "–"],
    ["Connections", connections],
    ["Id", detail.id],
  ];
  const said = JSON.stringify(facts);
  if (drawn.facts !== said) {
    by("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }
  by("port-explain").href = `#explain?${new URLSearchParams({ port: detail.id })}`;
  by("port-drops").href = `#drops?${new URLSearchParams({ port: detail.id })}`;
  const next = detail.id + shape(detail);
  if (drawn.shape !== next) {
    const chains = Object.keys(WAYS).map((way) => [way, makeChain(detail[way])]);
    by("ways").replaceChildren(...chains.map(([way, chain]) => make("div", { "data-way": way }, make("h3", {}, WAYS[way]), chain.element)));
    drawn = { shape: next, chains };
  }
  drawn.facts = said;
  drawn.chains.forEach(([way, chain]) => chain.update(detail[way]));
}
