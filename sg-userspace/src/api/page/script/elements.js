// The page of a node, in the order of these files one script: plain JavaScript that loads nothing from elsewhere
// and only reads. What others chose was escaped by the daemon, and is only ever set as text.

// Elements, numbers and questions.

const by = (id) => document.getElementById(id);

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}
const make = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** Sets a text; one that is so already is left alone, with what a reader may have marked of it. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en");
/** Compares words as people sort them: the second port before the tenth. */
const inOrder = new Intl.Collator("en", { numeric: true });
const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;

/** What the daemon answers, or an error that says what is wrong. */
async function ask(path, query = {}) {
  const search = new URLSearchParams(query).toString();
  let answer;
  try {
    answer = await fetch(search ? `${path}?${search}` : path, { signal: AbortSignal.timeout(20000) });
  } catch {
    throw new Error("The daemon does not answer.");
  }
  const said = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (answer.ok) return said;
  const about = [said.object, said.field].filter(Boolean).map((word) => `${word}: `).join("");
  throw new Error(about + said.error + (said.hint ? ` (${said.hint})` : ""));
}

function press(button, done) {
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", pressed);
    done(pressed);
  });
}
