// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console

/// The options of llama.cpp and ik_llama.cpp, and what they mean here.
enum Habits {
  static let synonyms = [named, notNeeded, refused].reduce(into: [:]) { all, some in
    all.merge(some) { _, _ in preconditionFailure("an option is listed twice") }
  }

  /// Options that exist here under another name.
  private static let named: [String: Synonym] = [
    "-m": .argument, "--model": .argument,
    "-c": .option("--ctx"), "--ctx-size": .option("--ctx"), "-b": .option("--batch"), "--batch-size": .option("--batch"),
    "-ctk": .option("--kv", sharesValue: true), "--cache-type-k": .option("--kv", sharesValue: true),
    "-ctv": .option("--kv", sharesValue: true), "--cache-type-v": .option("--kv", sharesValue: true),
    "--predict": .option("--number"), "--n-predict": .option("--number"), "-s": .option("--seed"),
    "-sys": .option("--system"), "--system-prompt": .option("--system"),
    "-r": .option("--stop"), "--reverse-prompt": .option("--stop"), "-np": .option("--parallel"),
    "--chat-template": .option("--template"), "--chat-template-file": .option("--template-file"),
    "--chat-template-kwargs": .option("--template-args"),
    "--grammar-file": .option("--grammar"), "-jf": .option("--json-schema"), "--json-schema-file": .option("--json-schema"),
    "-no-cnv": .notNeeded("only packrun chat holds a conversation"),
    "--no-conversation": .notNeeded("only packrun chat holds a conversation"),
  ]

  private static let graphics = "packrun computes on the CPU"
  private static let attention = "attention never stores a matrix of scores"
  private static let layouts = "ggufpack has laid the weights out already"
  private static let colors = "there is no colour but for what a model thinks"
  private static let conversation = "packrun chat MODEL.pack holds a conversation, packrun MODEL.pack continues a prompt"

  /// Options whose effect is the default here, or is decided elsewhere.
  private static let notNeeded: [String: Synonym] = [
    "-ngl": .notNeeded(graphics, values: .one), "--gpu-layers": .notNeeded(graphics, values: .one),
    "--n-gpu-layers": .notNeeded(graphics, values: .one),
    "-sm": .notNeeded(graphics, values: .one), "--split-mode": .notNeeded(graphics, values: .one),
    "-ts": .notNeeded(graphics, values: .one),
    "--tensor-split": .notNeeded(graphics, values: .one), "-mg": .notNeeded(graphics, values: .one),
    "--main-gpu": .notNeeded(graphics, values: .one),
    "-ot": .notNeeded(graphics, values: .one), "--override-tensor": .notNeeded(graphics, values: .one),
    "-cmoe": .notNeeded(graphics),
    "--cpu-moe": .notNeeded(graphics), "-ncmoe": .notNeeded(graphics, values: .one),
    "--n-cpu-moe": .notNeeded(graphics, values: .one),
    "-nkvo": .notNeeded(graphics), "--no-kv-offload": .notNeeded(graphics),
    "--numa": .notNeeded("weights and threads are on their nodes; packrun placement shows them", values: .one),
    "--mlock": .notNeeded("packrun pin keeps the weights in memory"),
    "--no-mmap": .notNeeded("--memory anon copies the weights into memory"),
    "--mmap": .notNeeded("--memory file maps the pack's files"),
    "-mmp": .notNeeded("--memory file maps the pack's files, --memory anon copies them", values: .onOrOff),
    "-fa": .notNeeded(attention, values: .onOrOff), "--flash-attn": .notNeeded(attention, values: .onOrOff),
    "--jinja": .notNeeded("the model's own chat template is used"),
    "-cnv": .notNeeded(conversation), "--conversation": .notNeeded(conversation),
    "-i": .notNeeded(conversation), "--interactive": .notNeeded(conversation),
    "--no-warmup": .notNeeded("nothing is warmed up"),
    "-ub": .notNeeded("--batch is the only size of a batch", values: .one),
    "--ubatch-size": .notNeeded("--batch is the only size of a batch", values: .one),
    "-tb": .notNeeded("prompts are read by the threads of --threads", values: .one),
    "--threads-batch": .notNeeded("prompts are read by the threads of --threads", values: .one),
    "--log-disable": .notNeeded("--quiet prints the answer only"),
    "-v": .notNeeded("whatever is not as it should be is said"),
    "--verbose": .notNeeded("whatever is not as it should be is said"),
    "--no-display-prompt": .notNeeded("the prompt is not repeated"),
    "--no-perf": .notNeeded("--quiet prints the answer only"), "--perf": .notNeeded("the speed is printed"),
    "-co": .notNeeded(colors), "--color": .notNeeded(colors, values: .onOrOff), "--simple-io": .notNeeded("output is plain text"),
    "--no-context-shift": .notNeeded("a full context ends the answer"),
    "-nr": .notNeeded(layouts), "--no-repack": .notNeeded(layouts), "-rtr": .notNeeded(layouts, values: .onOrOff),
    "--run-time-repack": .notNeeded(layouts), "-fmoe": .notNeeded("gate and up are computed together", values: .onOrOff),
    "-mla": .notNeeded("compressed keys and values are used as they are", values: .one),
    "-amb": .notNeeded(attention, values: .one),
  ]

  private static let download = "packrun does not download; fetch the GGUF, then run ggufpack convert MODEL.gguf"
  private static let adapters = "adapters are not applied; merge it into the model, then run ggufpack convert MODEL.gguf"
  private static let pictures = "only text is read; leave it out to run the model on text"
  private static let distance = "a model runs on one machine; convert it for this machine's nodes with ggufpack convert --nodes"

  /// Options that would change the result and are not supported here.
  private static let refused: [String: Synonym] = [
    "-hf": .refused(download), "-hfr": .refused(download), "--hf-repo": .refused(download), "--hf-file": .refused(download),
    "-hff": .refused(download), "-mu": .refused(download), "--model-url": .refused(download),
    "--lora": .refused(adapters), "--lora-scaled": .refused(adapters), "--control-vector": .refused(adapters),
    "--mmproj": .refused(pictures), "-mm": .refused(pictures), "--image": .refused(pictures), "--audio": .refused(pictures),
    "--rpc": .refused(distance),
    "--override-kv": .refused("a pack keeps the model's own keys; change the GGUF, then run ggufpack convert MODEL.gguf"),
    "--context-shift": .refused("a context is not shifted; packrun chat leaves out the earliest turns of a full one"),
  ]
}
