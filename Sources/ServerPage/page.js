// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The frame of the page: the views, the theme, the settings, the keyboard, and the state of the server.

function showView(name) {
  for (const view of ["chat", "server"]) {
    part(view).hidden = view !== name;
    part(`tab-${view}`).setAttribute("aria-selected", String(view === name));
    part(`tab-${view}`).tabIndex = view === name ? 0 : -1;
  }
  history.replaceState(null, "", name === "server" ? "#server" : location.pathname);
  if (name === "server") startView();
  else stopView();
}

// MARK: Theme

const themes = { auto: "◐", light: "☀", dark: "☾" };

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  part("theme").textContent = themes[theme];
  part("theme").setAttribute("aria-label", `Theme: ${theme}`);
}

function nextTheme() {
  const names = Object.keys(themes);
  const theme = names[(names.indexOf(store.read("packserve.theme") ?? "auto") + 1) % names.length];
  store.write("packserve.theme", theme);
  setTheme(theme);
}

// MARK: Settings

const settingsForm = () => part("settings-dialog").querySelector("form");

function openSettings(problem = "") {
  const settings = store.settings();
  const { elements } = settingsForm();
  for (const name of ["system", "temperature", "top_p", "max_tokens", "seed"]) elements[name].value = settings[name] ?? "";
  elements.tools.value = settings.tools ? JSON.stringify(settings.tools, null, 2) : "";
  elements.key.value = store.key();
  showSettingsProblem(problem);
  if (!part("settings-dialog").open) part("settings-dialog").showModal();
  if (problem) elements.key.focus();
}

function showSettingsProblem(text) {
  part("settings-problem").hidden = !text;
  part("settings-problem").textContent = text;
}

function saveSettings(event) {
  const { elements } = settingsForm();
  const settings = { system: elements.system.value.trim() || undefined };
  for (const name of ["temperature", "top_p", "max_tokens", "seed"]) settings[name] = elements[name].value === "" ? undefined : Number(elements[name].value);
  try { settings.tools = elements.tools.value.trim() ? JSON.parse(elements.tools.value) : undefined; } catch (error) {
    event.preventDefault();
    showSettingsProblem(`The tools are not JSON: ${error.message}`);
    return;
  }
  if (settings.tools !== undefined && !Array.isArray(settings.tools)) {
    event.preventDefault();
    showSettingsProblem("The tools must be an array.");
    return;
  }
  store.write("packserve.settings", settings);
  store.setKey(elements.key.value.trim());
  watchHealth();
}

// MARK: Keyboard

function pressed(event) {
  if (event.key === "Escape" && !part("settings-dialog").open) {
    document.body.classList.remove("drawer");
    stop();
  }
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey && !part("settings-dialog").open) {
    event.preventDefault();
    showView("chat");
    part("box").focus();
  }
}

function pressedInBox(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
}

/** The arrow keys move between tabs, as is usual. */
function pressedInTabs(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const name = part("chat").hidden ? "chat" : "server";
  showView(name);
  part(`tab-${name}`).focus();
}

// MARK: How the server is

let healthTimer;

/** Polls until the model is loaded and then reads its properties; after that, checks from time to time that it is still there. */
async function watchHealth() {
  clearTimeout(healthTimer);
  let next = 15_000;
  try {
    await ask("health");
    showBanner("health");
    if (!served.name) await learnFacts();
  } catch (error) {
    const progress = error.document?.progress;
    if (progress !== undefined) {
      showBanner("health", `The model is being loaded: ${Math.floor(100 * progress)} %`, make("progress", { value: progress, "aria-label": "Loading" }));
    } else if (error.status === 401) {
      openSettings("The server needs an API key.");
      return;
    } else showBanner("health", error.status === 0 ? "The server does not answer. Trying again …" : error.message);
    next = 1000;
  }
  healthTimer = setTimeout(watchHealth, next);
}

async function learnFacts() {
  const facts = await (await ask("props")).json();
  served.facts = facts;
  served.name = facts.model_alias ?? (await (await ask("v1/models")).json()).data?.[0]?.id ?? "";
  part("model").textContent = served.name;
  document.title = `${served.name} – packserve`;
  if (open.messages.length === 0) showLog();
}

// MARK: The start

function start() {
  setTheme(store.read("packserve.theme") ?? "auto");
  part("new").onclick = () => openConversation(freshConversation());
  part("settings").onclick = () => openSettings();
  part("settings-cancel").onclick = () => part("settings-dialog").close();
  settingsForm().addEventListener("submit", saveSettings);
  part("theme").onclick = nextTheme;
  part("menu").onclick = () => document.body.classList.add("drawer");
  part("shade").onclick = () => document.body.classList.remove("drawer");
  part("tab-chat").onclick = () => showView("chat");
  part("tab-server").onclick = () => showView("server");
  document.querySelector("[role=tablist]").addEventListener("keydown", pressedInTabs);
  part("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  part("stop").onclick = stop;
  part("box").addEventListener("input", fitBox);
  part("box").addEventListener("keydown", pressedInBox);
  document.addEventListener("keydown", pressed);
  const log = part("log");
  log.addEventListener("scroll", () => { follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40; });
  // Another tab has changed the storage.
  window.addEventListener("storage", (event) => {
    if (event.key?.startsWith(conversationPrefix)) showList();
    if (event.key === "packserve.theme") setTheme(store.read("packserve.theme") ?? "auto");
  });
  // Keep what there is of answers in progress.
  window.addEventListener("pagehide", () => {
    for (const { conversation, message } of running.values()) {
      store.save({ ...conversation, messages: conversation.messages.map((other) => other === message ? { ...other, finish: "stopped" } : other) });
    }
  });
  showList();
  showLog();
  showView(location.hash === "#server" ? "server" : "chat");
  if (matchMedia("(min-width: 46rem)").matches) part("box").focus();
  watchHealth();
}

start();
