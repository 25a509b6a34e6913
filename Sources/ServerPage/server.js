// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The second view: where the weights are, and what the server is doing. It shows what /props, /placement, /slots and /metrics report, and
// leaves out what they do not.

const byteText = (byteCount) => {
  const [unit, name] = byteCount >= 2 ** 30 ? [2 ** 30, "GiB"] : [2 ** 20, "MiB"];
  return `${(byteCount / unit).toLocaleString("en", { maximumSignificantDigits: 3 })} ${name}`;
};
const percent = (part, whole) => whole > 0 ? `${(Math.floor(1000 * part / whole) / 10).toLocaleString("en")} %` : "–";
const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);

const view = {
  timer: undefined,
  facts: undefined,
  placement: undefined,
  placementProblem: "",
  slots: undefined,
  /** The counters of the last two minutes: {time, values}. */
  samples: [],
  help: new Map(),
  problem: "",
};

function startView() {
  if (view.timer) return;
  refreshPlacement();
  refresh();
  view.timer = setInterval(refresh, 2000);
}

function stopView() {
  clearInterval(view.timer);
  view.timer = undefined;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const [facts, slots, metrics] = await Promise.all([
      view.facts ?? ask("props").then((response) => response.json()).catch(ignoreAbsent), ask("slots").then((response) => response.json()).catch(ignoreAbsent),
      ask("metrics").then((response) => response.text()).catch(ignoreAbsent),
    ]);
    Object.assign(view, { facts, slots, problem: "" });
    if (metrics) {
      view.samples.push({ time: performance.now() / 1000, values: readMetrics(metrics) });
      view.samples = view.samples.filter((sample) => sample.time > view.samples.at(-1).time - 122);
    }
  } catch (error) { view.problem = error.message; }
  showPanels();
}

/** Asks the kernel where all pages are. This is more work than reading counters, so it happens only when the view opens or the user asks.
    */
async function refreshPlacement() {
  try {
    view.placement = await (await ask("placement")).json();
    view.placementProblem = "";
  } catch (error) { view.placementProblem = error.message; }
  showPanels();
}

/** A server without such an address, or one that does not show it, is not broken. */
function ignoreAbsent(error) {
  if ([403, 404, 501].includes(error.status)) return undefined;
  throw error;
}

/** Parses counters in the Prometheus text format. */
function readMetrics(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    if (help) view.help.set(help[1], help[2]);
    const sample = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)/.exec(line);
    if (sample && !line.startsWith("#")) values.set(sample[1], Number(sample[2]));
  }
  return values;
}

/** The current value of a counter; undefined if the server does not have it. */
function metric(...names) {
  const values = view.samples.at(-1)?.values;
  return names.map((name) => values?.get(name)).find((value) => value !== undefined);
}

/** The tokens written up to a sample. */
function writtenTokens({ values }) {
  return (values.get("llamacpp:n_decode_total") ?? 0) * (values.get("llamacpp:n_busy_slots_per_decode") ?? 0);
}

/** The growth of a count per second, for each pair of successive samples. */
function rates(value) {
  return view.samples.slice(1).map((sample, index) => {
    const before = view.samples[index];
    return { time: sample.time, rate: Math.max(0, value(sample) - value(before)) / Math.max(0.1, sample.time - before.time) };
  });
}

// MARK: Panels

function showPanels() {
  const isOpen = new Set([...part("panels").querySelectorAll("details[open]")].map((details) => details.dataset.name));
  const panels = [modelPanel(), speedPanel(), queuePanel(), cachePanel(), placementPanel(), bandwidthPanel(), slotsPanel(), countersPanel()];
  const problem = view.problem ? make("div", { class: "panel wide problem", role: "alert" }, view.problem) : undefined;
  part("panels").replaceChildren(...[problem, ...panels].filter(Boolean));
  for (const details of part("panels").querySelectorAll("details")) details.open = isOpen.has(details.dataset.name);
}

function panel(title, wide, ...content) {
  return make("section", { class: wide ? "panel wide" : "panel" }, make("h2", {}, title), ...content);
}

function list(rows) {
  return make("dl", {}, rows.filter((row) => row[1] !== undefined && row[1] !== null && row[1] !== "").flatMap(([name, value, isCode]) => [
    make("dt", {}, name), make("dd", { class: isCode ? "mono" : "" }, String(value))]));
}

function modelPanel() {
  const facts = view.facts;
  if (!facts) return undefined;
  const context = facts.default_generation_settings?.n_ctx;
  return panel("Model", false, list([
    ["Name", facts.model_alias], ["Architecture", facts.architecture], ["Weights", weightBytes() ? byteText(weightBytes()) : ""],
    ["Context", context ? `${count(context)} tokens` : ""], ["Answers at a time", facts.total_slots], ["Turns", facts.turn_format],
    ["Memory", view.placement?.memory], ["Digest", facts.pack_digest, true], ["Version", facts.build_info],
  ]));
}

function weightBytes() { return sum((view.placement?.blobs ?? []).map((blob) => blob.byteCount)); }

function speedPanel() {
  if (metric("llamacpp:n_decode_total") === undefined) return undefined;
  const written = rates(writtenTokens);
  const read = rates((sample) => sample.values.get("llamacpp:prompt_tokens_total") ?? 0);
  return panel("Tokens per second", false,
    make("div", { class: "figures" }, figure(written.at(-1)?.rate, "written"), figure(read.at(-1)?.rate, "of prompts read")),
    curve(written, "Tokens written per second in the last two minutes"),
    make("div", { class: "soft small" }, `Two minutes. On average while working: ${rate(metric("llamacpp:predicted_tokens_seconds"))} written, `
      + `${rate(metric("llamacpp:prompt_tokens_seconds"))} read.`));
}

function rate(value) { return value === undefined || Number.isNaN(value) ? "–" : value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 }); }

function figure(value, label) { return make("div", {}, make("div", { class: "big" }, rate(value)), make("div", { class: "soft small" }, label)); }

/** A line chart of rates over two minutes. */
function curve(points, label) {
  const shape = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = shape("svg", { class: "line", viewBox: "0 0 120 40", preserveAspectRatio: "none", role: "img", "aria-label": label });
  svg.append(shape("line", { x1: 0, y1: 40, x2: 120, y2: 40 }));
  if (points.length > 1) {
    const end = points.at(-1).time;
    const top = Math.max(1, ...points.map((point) => point.rate));
    const places = points.map((point) => `${(120 - (end - point.time)).toFixed(2)},${(39 - 37 * point.rate / top).toFixed(2)}`);
    const first = places[0].split(",")[0];
    svg.append(shape("path", { class: "area", d: `M${first},40 L${places.join(" L")} L120,40 Z` }), shape("path", { d: `M${places.join(" L")}` }));
  }
  return svg;
}

function queuePanel() {
  const runs = metric("vllm:num_requests_running", "llamacpp:requests_processing");
  if (runs === undefined) return undefined;
  return panel("Requests", false,
    make("div", { class: "figures" }, figure(runs, "in progress"), figure(metric("vllm:num_requests_waiting", "llamacpp:requests_deferred"), "waiting")),
    list([
      ["Answers finished", number(metric("packserve:answers_finished_total"))], ["Abandoned by clients", number(metric("packserve:answers_cancelled_total"))],
      ["Failed", number(metric("packserve:answers_failed_total"))], ["Answers per step, on average", rate(metric("llamacpp:n_busy_slots_per_decode"))],
    ]));
}

function number(value) { return value === undefined ? undefined : count(value); }

function cachePanel() {
  const known = metric("vllm:prefix_cache_hits_total");
  const all = metric("vllm:prompt_tokens_total");
  if (known === undefined || all === undefined) return undefined;
  const others = [...(view.samples.at(-1)?.values ?? [])].filter(([name]) => /cache/.test(name) && name !== "vllm:prefix_cache_hits_total");
  return panel("Prompt cache", false,
    make("div", { class: "big" }, percent(known, all)), make("div", { class: "soft small" }, "of all prompt tokens were cached"),
    stack([["cached", known, "fill-good"], ["computed", all - known, "fill-none"]], (value) => plural(value, "token")),
    others.length > 0 ? list(others.map(([name, value]) => [view.help.get(name.replace(/\{.*/, ""))?.replace(/\.$/, "") ?? name,
      /bytes/.test(name) ? byteText(value) : value.toLocaleString("en", { maximumFractionDigits: 2 })])) : undefined);
}

/** A stacked bar with a legend. */
function stack(parts, label) {
  const present = parts.filter(([, value]) => value > 0);
  const all = sum(present.map(([, value]) => value));
  return make("div", {}, make("div", { class: "stack", role: "img", "aria-label": present.map(([name, value]) => `${name} ${label(value)}`).join(", ") },
    present.map(([, value, fill]) => {
      const bar = make("i", { class: fill });
      bar.style.width = `${100 * value / all}%`;
      return bar;
    })), make("div", { class: "key" }, present.map(([name, value, fill]) => make("span", {}, make("i", { class: fill }), `${name} ${label(value)}`))));
}

function placementPanel() {
  const again = make("button", { class: "bare", onclick: refreshPlacement }, "Count again");
  if (!view.placement) return view.placementProblem ? panel("Where the weights are", true, make("p", { class: "soft" }, view.placementProblem)) : undefined;
  const { blobs = [], sequences = [], notes = [] } = view.placement;
  const nodes = [...new Set([...blobs, ...sequences].map((memory) => memory.node))].sort((one, other) => one - other);
  const title = make("h2", {}, make("span", {}, "Where every GiB is, as counted by the kernel"), again);
  const element = make("section", { class: "panel wide" }, title, nodes.map((node) => nodePart(node, blobs, sequences)));
  if (notes.length > 0) element.append(make("ul", { class: "soft small" }, notes.map((note) => make("li", {}, note))));
  return element;
}

function nodePart(node, blobs, sequences) {
  const own = blobs.filter((blob) => blob.node === node);
  const kept = sequences.filter((sequence) => sequence.node === node);
  const bytes = sum(own.map((blob) => blob.byteCount));
  const local = 4096 * sum(own.map((blob) => blob.localPages));
  const absent = 4096 * sum(own.map((blob) => blob.absentPages));
  const remote = new Map();
  for (const blob of own) for (const [other, pages] of Object.entries(blob.remotePages ?? {})) remote.set(other, (remote.get(other) ?? 0) + 4096 * pages);
  const all = local + absent + sum([...remote.values()]);
  const huge = sum(own.map((blob) => blob.mappedBy2M)), giant = sum(own.map((blob) => blob.mappedBy1G));
  return make("div", {}, make("h3", {}, `Node ${node}: ${byteText(bytes)} of weights, ${percent(local, all)} on this node`),
    stack([["on this node", local, "fill-good"], ...[...remote].map(([other, value]) => [`on node ${other}`, value, "fill-warn"]), ["not in memory", absent, "fill-none"]], byteText),
    all > 0 ? make("div", {}, make("div", { class: "soft small" }, "By the size of the pages"),
      stack([["pages of 1 GiB:", giant, "fill-accent"], ["pages of 2 MiB:", huge, "fill-accent-2"], ["pages of 4 KiB:", Math.max(0, all - huge - giant), "fill-accent-3"]], byteText)) : undefined,
    kept.length > 0 ? make("div", { class: "soft small" }, `Keys, values and states of conversations: ${byteText(sum(kept.map((memory) => memory.byteCount)))}, `
      + `${percent(sum(kept.map((memory) => memory.localPages)), sum(kept.map((memory) => memory.localPages + memory.otherPages)))} on this node`) : undefined);
}

/** The current rate at which each node reads its weights, beside its measured maximum; then the measured rates of all pairs of nodes. */
function bandwidthPanel() {
  const measured = view.placement?.bandwidth ?? [];
  const nodes = (view.placement?.reading ?? []).map((node) => readingPart(node, measured));
  if (nodes.length === 0 && measured.length === 0) return undefined;
  return panel("Bandwidth", true, nodes, measured.length > 0 ? make("details", { "data-name": "bandwidth" },
    make("summary", {}, "Measured when the model was loaded"), make("div", { class: "scroll" }, make("table", {},
      make("thead", {}, make("tr", {}, make("th", {}, "Threads of"), make("th", {}, "Memory of"), make("th", { class: "number" }, "10⁹ bytes per second"))),
      make("tbody", {}, measured.map((row) => make("tr", {}, make("td", {}, `node ${row.teamNode} (${row.threads})`), make("td", {}, `node ${row.memoryNode}`),
        make("td", { class: "number" }, row.gigabytesPerSecond.toFixed(1)))))))) : undefined);
}

function readingPart(node, measured) {
  const name = `packserve:weight_bytes_read_total{node="${node.node}"}`;
  const points = rates((sample) => sample.values.get(name) ?? 0).map(({ time, rate: bytes }) => ({ time, rate: bytes / 1e9 }));
  const most = measured.find((row) => row.teamNode === node.node && row.memoryNode === node.node)?.gigabytesPerSecond;
  return make("div", { "data-name": `reading-${node.node}` }, make("h3", {}, `Node ${node.node}: weights read by ${plural(node.threads, "thread")}`),
    make("div", { class: "figures" }, figure(points.at(-1)?.rate ?? 0, "10⁹ bytes per second, now"),
      most ? figure(most, "at most, as measured") : undefined),
    curve(points, `10⁹ bytes of weights per second on node ${node.node} in the last two minutes`),
    make("div", { class: "soft small" }, `A step reads ${byteText(node.byteCountPerStep)} here, and more if its tokens choose many experts.`));
}

function slotsPanel() {
  if (!Array.isArray(view.slots) || view.slots.length === 0) return undefined;
  const names = { idle: "free", reading: "reading a prompt", writing: "writing" };
  return panel("Slots", true, make("div", { class: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, make("th", {}, "Slot"), make("th", {}, "State"),
      ["Prompt", "Read", "Cached", "Written"].map((name) => make("th", { class: "number" }, name)))),
    make("tbody", {}, view.slots.map((slot) => make("tr", {}, make("td", {}, String(slot.id)),
      make("td", {}, names[slot.state] ?? slot.state ?? (slot.is_processing ? "working" : "free")),
      [slot.prompt_tokens, slot.read_tokens, slot.cached_tokens, slot.written_tokens].map((value) => make("td", { class: "number" }, number(value) ?? ""))))))));
}

function countersPanel() {
  const values = [...(view.samples.at(-1)?.values ?? [])];
  if (values.length === 0) return undefined;
  return make("section", { class: "panel wide" }, make("details", { "data-name": "counters" }, make("summary", {}, `All ${values.length} counters`),
    make("div", { class: "scroll" }, make("table", {}, make("tbody", {}, values.map(([name, value]) => make("tr", {},
      make("td", { class: "mono", title: view.help.get(name.replace(/\{.*/, "")) ?? "" }, name), make("td", { class: "number" }, value.toLocaleString("en", { maximumFractionDigits: 3 })))))))));
}
