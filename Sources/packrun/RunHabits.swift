// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import ModelConsole

/// The options of llama-cli and its neighbours, and what they mean here.
enum RunHabits {
  static let synonyms = Habits.synonyms(of: "packrun", and: named, notNeeded)

  private static let named: [String: Synonym] = [
    "--predict": .option("--number"), "--n-predict": .option("--number"), "-s": .option("--seed"),
    "-sys": .option("--system"), "--system-prompt": .option("--system"),
    "-r": .option("--stop"), "--reverse-prompt": .option("--stop"),
    "--chat-template-kwargs": .option("--template-args"),
    "--grammar-file": .option("--grammar"), "-jf": .option("--json-schema"), "--json-schema-file": .option("--json-schema"),
  ]

  private static let colors = "only what a model thinks is coloured"
  private static let conversation = "packrun chat MODEL.pack holds a conversation, packrun MODEL.pack continues a prompt"

  private static let notNeeded: [String: Synonym] = [
    "-cnv": .notNeeded(conversation), "--conversation": .notNeeded(conversation),
    "-i": .notNeeded(conversation), "--interactive": .notNeeded(conversation),
    "-no-cnv": .notNeeded("only packrun chat holds a conversation"),
    "--no-conversation": .notNeeded("only packrun chat holds a conversation"),
    "--log-disable": .notNeeded("--quiet prints the answer only"),
    "-v": .notNeeded("problems are always reported"),
    "--verbose": .notNeeded("problems are always reported"),
    "--no-display-prompt": .notNeeded("the prompt is not repeated"),
    "--no-perf": .notNeeded("--quiet prints the answer only"), "--perf": .notNeeded("the speed is printed"),
    "-co": .notNeeded(colors), "--color": .notNeeded(colors, values: .onOrOff), "--simple-io": .notNeeded("output is plain text"),
  ]
}
