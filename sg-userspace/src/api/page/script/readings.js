// What the ports do: readings, and the rates between them.

const KEPT = 60;

const RATES = ["packets", "bytes", "drops", "opened"];
/** What was read of each port last, and its rates, the newest at the end; `null` where none is known. */
const histories = new Map();
let reading = { ports: [], uptime_us: 0 };

const keyOf = (port) => [port.id, port.interface, port.vlan].join("\n");
const nameOf = (port) => port.name || port.interface || port.id;
const portOf = (id) => reading.ports.find((port) => port.id === id);
const shareOf = (port) => (port.quota ? port.assured / port.quota : 0);
const rateOf = (port, measure) => histories.get(keyOf(port))?.series[measure].at(-1) ?? 0;

/** Takes a reading. Counters of another zone, or that have become less, begin anew and make no rate. */
function note(next) {
  if (next.uptime_us === reading.uptime_us) return;
  const seconds = (next.uptime_us - reading.uptime_us) / 1e6;
  const gone = new Set(histories.keys());
  for (const port of next.ports) {
    const key = keyOf(port);
    gone.delete(key);
    const history = histories.get(key) ?? { series: Object.fromEntries(RATES.map((rate) => [rate, []])) };
    const before = history.port?.zone === port.zone ? history.port : undefined;
    for (const measure of RATES) {
      const more = before ? port[measure] - before[measure] : -1;
      history.series[measure].push(more >= 0 && seconds > 0 ? more / seconds : null);
      if (history.series[measure].length > KEPT) history.series[measure].shift();
    }
    history.port = port;
    histories.set(key, history);
  }
  gone.forEach((key) => histories.delete(key));
  reading = next;
}
