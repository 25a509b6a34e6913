// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import ModelConsole

/// The options of llama-server, and what they mean here.
enum ServerHabits {
  static let synonyms = Habits.synonyms(of: "packserve", and: named, notNeeded, refused)

  private static let named: [String: Synonym] = [
    "-a": .option("--alias"), "-to": .option("--client-timeout"), "--timeout": .option("--client-timeout"),
    "--verbose-prompt": .option("--log-prompts"), "--ssl-key-file": .option("--key"), "--ssl-cert-file": .option("--cert"),
  ]

  private static let always = "is always answered"
  private static let joining = "a request always joins those that are being answered"

  private static let notNeeded: [String: Synonym] = [
    "--metrics": .notNeeded("/metrics \(always)"), "--slots": .notNeeded("/slots \(always)"),
    "--props": .notNeeded("/props \(always)"), "--embedding": .notNeeded("/v1/embeddings \(always)"),
    "--embeddings": .notNeeded("/v1/embeddings \(always)"),
    "-cb": .notNeeded(joining), "--cont-batching": .notNeeded(joining),
    "--cache-prompt": .notNeeded("the longest beginning that is known is always reused"),
    "--cache-reuse": .notNeeded("the longest beginning that is known is always reused", values: .one),
    "--threads-http": .notNeeded("HTTP gets the CPUs that --threads leaves", values: .one),
    "--reasoning-format": .notNeeded("what a model thinks is always in reasoning_content", values: .one),
    "--swa-full": .notNeeded("keys and values are kept for the whole context in all layers"),
    "--log-disable": .notNeeded("there is one line for each request, without its text"),
  ]

  private static let perRequest = "each request says so itself"

  private static let refused: [String: Synonym] = [
    "-n": .refused("\(perRequest), as max_tokens"), "--predict": .refused("\(perRequest), as max_tokens"),
    "--n-predict": .refused("\(perRequest), as max_tokens"),
    "--temp": .refused("\(perRequest), as temperature"), "--top-p": .refused("\(perRequest), as top_p"),
    "--top-k": .refused("\(perRequest), as top_k"), "--min-p": .refused("\(perRequest), as min_p"),
    "--seed": .refused("\(perRequest), as seed"), "-s": .refused("\(perRequest), as seed"),
    "--repeat-penalty": .refused("\(perRequest), as repeat_penalty"),
    "--chat-template-kwargs": .refused("\(perRequest), as chat_template_kwargs"),
    "--reasoning-budget": .refused("\(perRequest), by enable_thinking in chat_template_kwargs"),
    "--no-webui": .refused("the page at / cannot be left out; a proxy in front of packserve can refuse it"),
    "--no-slots": .refused("/slots cannot be left out; a proxy in front of packserve can refuse it"),
    "--api-prefix": .refused("paths begin at /; a proxy in front of packserve can add a prefix"),
    "--path": .refused("packserve serves its own page only"),
    "--slot-save-path": .refused("slots are not saved on request; --cache-dir FOLDER keeps the beginnings of prompts"),
    "--rerank": .refused("packserve does not rank documents"), "--reranking": .refused("packserve does not rank documents"),
    "-md": .refused("packserve does not draft; packrun --draft does"),
    "--model-draft": .refused("packserve does not draft; packrun --draft does"),
  ]
}
