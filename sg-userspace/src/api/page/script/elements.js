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

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en");
const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;

/** What the daemon answers, or an error that says what is wrong. */
async function ask(path, query = {}) {
  const words = new URLSearchParams(query).toString();
  let answer;
  try {
    answer = await fetch(words ? `${path}?${words}` : path, { signal: AbortSignal.timeout(20000) });
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
