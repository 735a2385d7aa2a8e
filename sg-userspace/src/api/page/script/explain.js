// A packet, walked through the stages.

const STEP = 110;

const NOTED_AT = { connection: "established" };
let walking = 0;

async function explain(port, direction, words) {
  const number = ++walking;
  const verdict = by("verdict");
  verdict.className = "";
  verdict.replaceChildren();
  by("walk").replaceChildren();
  let walk, detail;
  try {
    walk = await ask("/page/explain", { port, direction, words });
    detail = await ask(`/page/ports/${encodeURIComponent(walk.port.id)}`);
  } catch (error) {
    if (number !== walking) return;
    verdict.className = "wrong";
    verdict.append(make("h3", {}, "Not walked"), make("p", {}, error.message));
    return;
  }
  if (number !== walking) return;
  const chain = makeChain(detail[direction]);
  chain.element.classList.add("walked");
  by("walk").append(make("h3", {}, `${nameOf(walk.port)}: ${WAYS[direction]}`), chain.element);
  const stages = detail[direction].map((stage) => stage.stage);
  const end = stages.indexOf(walk.steps.at(-1).stage);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (let at = 0; at <= end; at++) {
    if (!still) await new Promise((done) => setTimeout(done, STEP));
    if (number !== walking) return;
    light(chain.parts[at].element, walk.steps, at === end, stages);
  }
  verdict.className = walk.verdict;
  verdict.append(...verdictOf(walk));
}

/** A stage lights up as the packet passes, with what was seen there. */
function light(element, steps, isLast, stages) {
  const { stage } = element.dataset;
  const saw = steps.slice(0, -1).filter((step) => {
    const at = NOTED_AT[step.stage] ?? step.stage;
    return at === stage || (isLast && !stages.includes(at));
  });
  element.classList.add("lit");
  if (isLast) {
    element.classList.add("decided");
    element.setAttribute("aria-current", "step");
  } else {
    say(element.querySelector(".outcome"), OUTCOMES.continue);
  }
  element.querySelector(".what").append(...saw.map((step) => make("p", { class: "seen" }, `▸ ${step.detail}`)));
}

function verdictOf(walk) {
  const differs = { remote: "for another remote", port: "for other ports" };
  const parts = [
    make("h3", {}, `${OUTCOMES[walk.verdict]}: ${walk.sentence}`),
    make("p", {}, "Reason ", make("code", {}, walk.reason), ", at the stage ", make("code", {}, walk.steps.at(-1).stage), "."),
  ];
  if (walk.rule) parts.push(make("p", {}, "Permitted by the rule ", make("code", {}, walk.rule.id), `: ${ruleText(walk.rule)}`));
  for (const near of walk.near ?? []) {
    parts.push(make("p", {}, `Near, ${differs[near.differs] ?? "otherwise"}: ${ruleText(near.rule)}`));
  }
  if (walk.remedy) parts.push(make("p", {}, "What would permit it, and no more:"), make("pre", { class: "remedy" }, walk.remedy));
  for (const hint of walk.hints ?? []) parts.push(make("p", {}, `Hint: ${hint}`));
  return parts;
}

by("packet").addEventListener("submit", (event) => {
  event.preventDefault();
  const direction = document.querySelector("input[name=direction]:checked").value;
  const asked = { port: by("packet-port").value.trim(), direction, words: by("packet-words").value.trim() };
  const there = `#explain?${new URLSearchParams(asked)}`;
  if (location.hash === there) explain(asked.port, direction, asked.words);
  else location.hash = there;
});
