// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception
"use strict";

// Markdown as DOM nodes. The model's text only ever becomes the content of text nodes. No HTML is made from a string; the page's headers
// (Trusted Types) would refuse it.

/** An element with these properties and children; children that are strings become text nodes. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** The address of a link, if its scheme is safe to follow. */
function safeAddress(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
  } catch { return undefined; }
}

function link(address, children) {
  const href = safeAddress(address);
  return href ? [make("a", { href, target: "_blank", rel: "noopener noreferrer" }, children)] : children;
}

/** The parts of a paragraph: rules in the order in which they are tried at each position. */
const inlineRules = [
  [/^\\([!-/:-@[-`{-~])/, (match) => [match[1]]],
  [/^(`+)(?!`)([\s\S]*?[^`])\1(?!`)/, (match) => [make("code", {}, match[2].replace(/^ (.*\S.*) $/, "$1"))]],
  [/^!?\[((?:[^[\]\\]|\\.|\[[^\]]*\])*)\]\(<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\)/,
    (match, depth) => link(match[2], inline(match[1], depth))],
  [/^<((?:https?:\/\/|mailto:)[^\s<>]+)>/, (match) => link(match[1], [match[1]])],
  [/^https?:\/\/[^\s<>]*[^\s<>.,:;!?'")\]]/, (match) => link(match[0], [match[0]])],
  [/^(\*\*|__)(?=\S)([\s\S]*?\S)\1/, (match, depth) => [make("strong", {}, inline(match[2], depth))]],
  [/^\*(?=[^\s*])((?:[^*]|\*\*[^*]+\*\*)*?[^\s*])\*(?!\*)/, (match, depth) => [make("em", {}, inline(match[1], depth))]],
  [/^_(?=[^\s_])([^_]*?[^\s_])_(?!\w)/, (match, depth) => [make("em", {}, inline(match[1], depth))]],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (match, depth) => [make("del", {}, inline(match[1], depth))]],
  [/^(?: {2,}|\\)\n/, () => [make("br")]],
  [/^<br ?\/?>/i, () => [make("br")]],
];

/** The nodes of a text without blocks. */
function inline(text, depth = 0) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const character = text[at];
    // A word is taken whole, so `snake_case_names` stay as they are and the time does not grow quadratically.
    const word = /\w/.test(character) ? /^(?:(?!https?:\/\/)\w)+/.exec(text.slice(at, at + 200)) : null;
    if (word) {
      plain += word[0];
      at += word[0].length;
      continue;
    }
    const match = depth < 8 && "\\`![<hH*_~ ".includes(character) ? firstMatch(text.slice(at, at + 4000), depth) : undefined;
    if (!match) {
      plain += character;
      at += 1;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(...match.nodes);
    at += match.length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function firstMatch(text, depth) {
  for (const [rule, nodes] of inlineRules) {
    const match = rule.exec(text);
    if (match) return { nodes: nodes(match, depth + 1), length: match[0].length };
  }
  return undefined;
}

const fence = /^( {0,3})(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const item = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const tableRule = /^ *\|?(?: *:?-+:? *\|)+ *:?-*:? *$/;

/** The blocks of a text, each with its kind and its lines. A later line never changes any block but the last. */
function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  const found = [];
  for (let at = 0; at < lines.length;) {
    const start = at;
    const opening = fence.exec(lines[at]);
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    if (opening) {
      const closing = new RegExp(`^ {0,3}${opening[2][0]}{${opening[2].length},}\\s*$`);
      at += 1;
      while (at < lines.length && !closing.test(lines[at])) at += 1;
      const indent = new RegExp(`^ {0,${opening[1].length}}`);
      const code = lines.slice(start + 1, at).map((line) => line.replace(indent, "")).join("\n");
      found.push({ kind: "code", language: opening[3], text: code });
      at += 1;
    } else if (heading.test(lines[at])) {
      const match = heading.exec(lines[at]);
      found.push({ kind: "heading", level: match[1].length, text: match[2] });
      at += 1;
    } else if (rule.test(lines[at])) {
      found.push({ kind: "rule", text: "" });
      at += 1;
    } else if (/^ {0,3}>/.test(lines[at])) {
      while (at < lines.length && lines[at].trim() && (at === start || !startsBlock(lines, at) || /^ {0,3}>/.test(lines[at]))) at += 1;
      found.push({ kind: "quote", text: lines.slice(start, at).map((line) => line.replace(/^ {0,3}> ?/, "")).join("\n") });
    } else if (item.test(lines[at])) {
      at = endOfList(lines, at);
      found.push({ kind: "list", text: lines.slice(start, at).join("\n") });
    } else if (lines[at].includes("|") && tableRule.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      while (at < lines.length && lines[at].includes("|")) at += 1;
      found.push({ kind: "table", text: lines.slice(start, at).join("\n") });
    } else {
      at += 1;
      while (at < lines.length && lines[at].trim() && !startsBlock(lines, at)) at += 1;
      found.push({ kind: "paragraph", text: lines.slice(start, at).map((line) => line.replace(/^ +/, "")).join("\n") });
    }
  }
  return found;
}

function startsBlock(lines, at) {
  return [fence, heading, rule, item, /^ {0,3}>/].some((pattern) => pattern.test(lines[at]))
    || (lines[at].includes("|") && tableRule.test(lines[at + 1] ?? ""));
}

/** The end of the list that starts at a line: the first line without indent that is not an item of the same kind. */
function endOfList(lines, start) {
  const [, indent, mark] = item.exec(lines[start]);
  const isOrdered = /\d/.test(mark);
  let at = start + 1;
  for (; at < lines.length; at += 1) {
    if (!lines[at].trim()) {
      let next = at;
      while (next < lines.length && !lines[next].trim()) next += 1;
      const following = item.exec(lines[next] ?? "");
      const goesOn = next < lines.length
        && (/^ {2,}/.test(lines[next].slice(indent.length)) || (following && /\d/.test(following[2]) === isOrdered));
      if (!goesOn) return at;
      continue;
    }
    const other = item.exec(lines[at]);
    if (other && other[1].length <= indent.length && (/\d/.test(other[2]) !== isOrdered || rule.test(lines[at]))) return at;
    if (!other && lines[at].length - lines[at].trimStart().length <= indent.length && startsBlock(lines, at)) return at;
  }
  return at;
}

/** The items of a list: the lines of each without marker and indent. */
function items(text) {
  const lines = text.split("\n");
  const base = item.exec(lines[0])[1].length;
  const found = [];
  let width = 0;
  for (const line of lines) {
    const match = item.exec(line);
    if (match && match[1].length <= base + 1) {
      // A marker with nothing after it counts one space.
      width = match[1].length + match[2].length + Math.min(Math.max(match[3].length, 1), 4);
      found.push([line.slice(Math.min(width, match[0].length))]);
    } else {
      const indent = line.length - line.trimStart().length;
      found.at(-1).push(line.slice(Math.min(indent, width)));
    }
  }
  return found.map((lines) => lines.join("\n"));
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** The node of a block. */
function node(block, depth = 0) {
  switch (block.kind) {
    case "code": return codeBlock(block.text, block.language);
    case "heading": return make(`h${block.level}`, {}, inline(block.text));
    case "rule": return make("hr");
    case "quote": return make("blockquote", {}, markdown(block.text, depth + 1));
    case "list": {
      const ordered = /^ *(\d+)/.exec(block.text);
      return make(ordered ? "ol" : "ul", ordered ? { start: Number(ordered[1]) } : {}, items(block.text).map((text) => make("li", {}, listItem(text, depth))));
    }
    case "table": {
      const [head, , ...rows] = block.text.split("\n").map(cells);
      return make("div", { class: "table" }, make("table", {},
        make("thead", {}, make("tr", {}, head.map((cell) => make("th", {}, inline(cell))))),
        make("tbody", {}, rows.map((row) => make("tr", {}, head.map((_, column) => make("td", {}, inline(row[column] ?? ""))))))));
    }
    default: return make("p", {}, inline(block.text));
  }
}

/** A list item; one that consists of a paragraph and lists is set without extra space. */
function listItem(text, depth) {
  const parts = depth < 8 ? blocks(text) : [{ kind: "paragraph", text }];
  const isTight = parts.filter((part) => part.kind === "paragraph").length <= 1;
  return parts.flatMap((part) => isTight && part.kind === "paragraph" ? inline(part.text) : [node(part, depth + 1)]);
}

function codeBlock(text, language) {
  const copy = make("button", { type: "button", class: "bare", onclick: () => copyText(text, copy) }, "Copy");
  return make("div", { class: "code" }, make("div", { class: "bar" }, make("span", {}, language || "text"), copy), make("pre", { tabIndex: 0 }, make("code", {}, text)));
}

/** The nodes of a text in Markdown. */
function markdown(text, depth = 0) {
  return depth < 8 ? blocks(text).map((block) => node(block, depth)) : [make("p", {}, text)];
}

/** Shows a Markdown text in an element that may already show its beginning; only what has changed is rebuilt. */
function showMarkdown(element, text) {
  const wanted = blocks(text);
  const shown = element.shownBlocks ?? [];
  const keys = wanted.map((block) => JSON.stringify(block));
  let same = 0;
  while (same < keys.length && shown[same] === keys[same]) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  element.append(...wanted.slice(same).map((block) => node(block)));
  element.shownBlocks = keys;
}

async function copyText(text, button) {
  const label = button.textContent;
  button.textContent = await copied(text) ? "Copied" : "Not allowed here";
  setTimeout(() => { button.textContent = label; }, 1500);
}

/** Browsers allow the clipboard only on https and on pages of this machine; elsewhere the older way may work. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { value: text, readOnly: true });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
