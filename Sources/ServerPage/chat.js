// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The conversations: their list, the open one, and the answers in progress.

const part = (id) => document.getElementById(id);
const served = { name: "", facts: undefined };
/** Answers in progress, by the id of their conversation. A conversation that is being answered lives here, not in the store. */
const running = new Map();
let open = freshConversation();
/** Whether the log scrolls along with the answer; scrolling up stops that. */
let follows = true;

function freshConversation() {
  return { id: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`, title: "", changed: Date.now(), messages: [] };
}

function keep(conversation) {
  conversation.changed = Date.now();
  const first = conversation.messages.find((message) => message.role === "user");
  conversation.title ||= (first?.content ?? "").trim().split("\n")[0].slice(0, 80);
  store.save(conversation);
}

// MARK: The list

function showList() {
  const conversations = store.conversations();
  part("chats").replaceChildren(...conversations.map((conversation) => make("li", { class: conversation.id === open.id ? "open" : "" },
    make("button", {
      class: "title", title: conversation.title, "aria-current": conversation.id === open.id ? "true" : undefined,
      onclick: () => openConversation(running.get(conversation.id)?.conversation ?? conversation),
    }, (running.has(conversation.id) ? "● " : "") + (conversation.title || "Untitled")),
    make("button", { class: "bare remove", "aria-label": `Remove ${conversation.title}`, onclick: (event) => removeConversation(event, conversation) }, "✕"))));
}

function openConversation(conversation) {
  open = conversation;
  follows = true;
  document.body.classList.remove("drawer");
  showView("chat");
  showList();
  showLog();
  part("box").focus();
}

/** Removes a conversation on the second click, because it cannot be restored. */
function removeConversation(event, conversation) {
  const button = event.currentTarget;
  if (button.dataset.sure !== "yes") {
    button.dataset.sure = "yes";
    button.textContent = "Remove?";
    setTimeout(() => { button.dataset.sure = ""; button.textContent = "✕"; }, 3000);
    return;
  }
  running.get(conversation.id)?.abort.abort();
  running.delete(conversation.id);
  store.forget(conversation);
  if (conversation.id === open.id) openConversation(freshConversation());
  showList();
}

// MARK: The log

function showLog() {
  const log = part("log");
  if (open.messages.length === 0) {
    log.replaceChildren(make("div", { class: "empty" }, make("h2", {}, served.name || "packserve"),
      make("p", { class: "soft" }, factsLine(served.facts))));
  } else {
    log.replaceChildren(...open.messages.map(turnElement).filter(Boolean));
  }
  showControls();
  if (follows) log.scrollTop = log.scrollHeight;
}

function factsLine(facts) {
  if (!facts) return "";
  const context = facts.default_generation_settings?.n_ctx;
  return [
    context ? `${count(context)} tokens of context` : "", facts.total_slots ? `${plural(facts.total_slots, "answer")} at a time` : "",
    facts.pack_digest ? `pack ${facts.pack_digest.slice(0, 12)}` : "",
  ].filter(Boolean).join(" · ");
}

function showControls() {
  const isRunning = running.has(open.id);
  part("send").hidden = isRunning;
  part("stop").hidden = !isRunning;
}

/** The element of a message. It keeps its parts, so that a growing answer is not rebuilt for each token. */
function turnElement(message) {
  if (message.role === "tool") return undefined;
  if (message.role === "user") {
    return make("article", { class: "turn user", "aria-label": "You" }, make("div", { class: "body" }, message.content),
      make("div", { class: "foot" }, copyButton(() => message.content), make("button", { class: "bare", onclick: () => editAgain(message) }, "Edit")));
  }
  const element = make("article", { class: "turn assistant", "aria-label": "Answer" });
  element.message = message;
  element.parts = {
    thinking: make("details", { class: "thinking" }, make("summary", {}, "Thinking"), make("div", { class: "prose" })),
    body: make("div", { class: "body prose" }), calls: make("div"), state: make("div", { class: "state" }),
    problem: make("div", { class: "problem", role: "alert" }), foot: make("div", { class: "foot" }),
  };
  element.append(...Object.values(element.parts));
  showAnswer(element);
  return element;
}

function copyButton(text) {
  const button = make("button", { class: "bare", onclick: () => copyText(text(), button) }, "Copy");
  return button;
}

function showAnswer(element) {
  const { message, parts } = element;
  const isUnderWay = running.get(open.id)?.message === message;
  parts.thinking.hidden = !message.reasoning;
  if (message.reasoning) {
    const words = message.reasoning.trim().split(/\s+/).length;
    parts.thinking.firstChild.textContent = isUnderWay && !message.content ? `Thinking … ${plural(words, "word")}` : `Thought, ${plural(words, "word")}`;
    showMarkdown(parts.thinking.lastChild, message.reasoning);
  }
  showMarkdown(parts.body, message.content);
  showCalls(element, isUnderWay);
  parts.problem.hidden = !message.problem;
  parts.problem.textContent = message.problem ?? "";
  const waits = isUnderWay && !message.content && !message.reasoning && !message.calls;
  parts.state.hidden = !waits;
  if (waits) {
    const progress = message.progress;
    parts.state.replaceChildren(...(progress
      ? [make("progress", { max: progress.all, value: progress.read, "aria-label": "Reading" }), `Reading: ${count(progress.read)} of ${count(progress.all)} tokens`]
      : ["Waiting …"]));
  }
  parts.foot.hidden = isUnderWay;
  if (!isUnderWay) {
    const isLast = open.messages.findLast((other) => other.role === "assistant") === message;
    parts.foot.replaceChildren(copyButton(() => message.content),
      ...(isLast ? [make("button", { class: "bare", onclick: regenerate }, message.problem ? "Try again" : "Regenerate")] : []),
      make("span", { class: "small" }, costLine(message)));
  }
}

function costLine(message) {
  const { usage, timings } = message;
  const notes = [];
  if (message.finish === "stopped") notes.push("stopped");
  if (message.finish === "length") notes.push("reached the token limit");
  if (usage) {
    notes.push(plural(usage.completion_tokens, "token"));
    if (timings?.predicted_per_second) notes.push(`${timings.predicted_per_second.toFixed(1)} tokens/s`);
    const known = usage.prompt_tokens_details?.cached_tokens;
    notes.push(`prompt ${count(usage.prompt_tokens)}` + (known ? `, ${count(known)} of them cached` : ""));
  }
  return notes.join(" · ");
}

function showCalls(element, isUnderWay) {
  const { message, parts } = element;
  // A result field must not be rebuilt while the user types into it.
  const key = JSON.stringify([message.calls, isUnderWay, open.messages.length]);
  if (element.shownCalls === key) return;
  element.shownCalls = key;
  const results = new Map(open.messages.filter((other) => other.role === "tool").map((other) => [other.callID, other.content]));
  parts.calls.replaceChildren(...(message.calls ?? []).filter(Boolean).map((call) => {
    const result = results.get(call.id);
    const details = make("details", { class: "call", open: result === undefined }, make("summary", {}, "Calls ", make("b", {}, call.name)),
      codeBlock(prettyJSON(call.arguments), "json"));
    if (result !== undefined) details.append(make("div", { class: "soft small" }, "Result"), codeBlock(result, "text"));
    else if (!isUnderWay) {
      const field = make("textarea", { placeholder: "What the tool returns", "aria-label": `Result of ${call.name}` });
      details.append(field, make("button", { onclick: () => giveResult(message, call, field.value) }, "Send this result"));
    }
    return details;
  }));
}

function prettyJSON(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

// MARK: Answers

/** Answers the open conversation. */
async function answer() {
  const conversation = open;
  const message = { role: "assistant", content: "" };
  const abort = new AbortController();
  conversation.messages.push(message);
  running.set(conversation.id, { conversation, message, abort });
  follows = true;
  keep(conversation);
  showList();
  showLog();
  let isPlanned = false;
  const changed = () => {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      if (open === conversation) showGrowing(message);
    });
  };
  try { await receiveAnswer(conversation, message, abort.signal, changed); } catch (error) {
    if (error.name === "AbortError") message.finish = "stopped";
    else message.problem = problemLine(error);
    if (error.status === 401) openSettings(error.message);
  }
  delete message.progress;
  // A conversation that was removed in the meantime must not come back.
  if (running.get(conversation.id)?.message !== message) return;
  running.delete(conversation.id);
  keep(conversation);
  showList();
  if (open === conversation) showLog();
}

function problemLine(error) {
  return error instanceof ServerProblem ? error.message : `The answer cannot be read: ${error.message}`;
}

function showGrowing(message) {
  const log = part("log");
  const element = log.lastElementChild;
  if (element?.message !== message) return;
  showAnswer(element);
  if (follows) log.scrollTop = log.scrollHeight;
}

function send() {
  const text = part("box").value.trim();
  if (!text || running.has(open.id)) return;
  part("box").value = "";
  fitBox();
  open.messages.push({ role: "user", content: text });
  answer();
}

function stop() { running.get(open.id)?.abort.abort(); }

function regenerate() {
  if (running.has(open.id)) return;
  while (open.messages.at(-1)?.role === "assistant") open.messages.pop();
  answer();
}

function giveResult(message, call, content) {
  open.messages.push({ role: "tool", callID: call.id, name: call.name, content });
  const given = new Set(open.messages.filter((other) => other.role === "tool").map((other) => other.callID));
  part("box").focus();
  if (message.calls.every((other) => given.has(other.id))) answer();
  else {
    keep(open);
    showLog();
  }
}

/** Puts a message back into the input box, in a copy of the conversation up to it; the original stays unchanged. */
function editAgain(message) {
  const copy = freshConversation();
  copy.messages = structuredClone(open.messages.slice(0, open.messages.indexOf(message)));
  if (copy.messages.length > 0) keep(copy);
  openConversation(copy);
  part("box").value = message.content;
  fitBox();
}

function fitBox() {
  const box = part("box");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

function count(number) { return Number(number).toLocaleString("en"); }
function plural(number, word) { return `${count(number)} ${word}${number === 1 ? "" : "s"}`; }
