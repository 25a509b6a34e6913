// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console

/// The options of llama.cpp and ik_llama.cpp that all programs which compute models know; each program adds those of its own task.
package enum Habits {
  /// Returns these options and a program's own.
  package static func synonyms(of program: String, and own: [String: Synonym]...) -> [String: Synonym] {
    ([named, notNeeded(program), refused(program)] + own).reduce(into: [:]) { all, some in
      all.merge(some) { _, _ in preconditionFailure("an option is listed twice") }
    }
  }

  /// Options that exist here under another name.
  private static let named: [String: Synonym] = [
    "-m": .argument, "--model": .argument,
    "-c": .option("--ctx"), "--ctx-size": .option("--ctx"), "-b": .option("--batch"), "--batch-size": .option("--batch"),
    "-ctk": .option("--kv", sharesValue: true), "--cache-type-k": .option("--kv", sharesValue: true),
    "-ctv": .option("--kv", sharesValue: true), "--cache-type-v": .option("--kv", sharesValue: true),
    "-np": .option("--parallel"), "--chat-template": .option("--template"), "--chat-template-file": .option("--template-file"),
  ]

  private static let attention = "attention never stores a matrix of scores"
  private static let layouts = "ggufpack has laid the weights out already"

  /// Options whose effect is the default here, or is decided elsewhere.
  private static func notNeeded(_ program: String) -> [String: Synonym] {
    let graphics = "\(program) computes on the CPU"
    return [
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
      "--no-warmup": .notNeeded("nothing is warmed up"),
      "-ub": .notNeeded("--batch sets the only batch size", values: .one),
      "--ubatch-size": .notNeeded("--batch sets the only batch size", values: .one),
      "-tb": .notNeeded("the threads of --threads read prompts, too", values: .one),
      "--threads-batch": .notNeeded("the threads of --threads read prompts, too", values: .one),
      "--no-context-shift": .notNeeded("a full context ends the answer"),
      "-nr": .notNeeded(layouts), "--no-repack": .notNeeded(layouts), "-rtr": .notNeeded(layouts, values: .onOrOff),
      "--run-time-repack": .notNeeded(layouts), "-fmoe": .notNeeded("gate and up are computed together", values: .onOrOff),
      "-mla": .notNeeded("compressed keys and values are used as they are", values: .one),
      "-amb": .notNeeded(attention, values: .one),
      "-dt": .notNeeded("the KV cache has no gaps", values: .one),
      "--defrag-thold": .notNeeded("the KV cache has no gaps", values: .one),
    ]
  }

  private static let adapters = "adapters are not applied; merge it into the model, then run ggufpack convert MODEL.gguf"
  private static let pictures = "only text is read; leave it out to run the model on text"
  private static let rotation =
    "the model's own keys say how positions are encoded; change them in the GGUF, then run ggufpack convert MODEL.gguf"
  private static let distance = "a model runs on one machine; convert it for this machine's nodes with ggufpack convert --nodes"

  /// Options that would change the result and are not supported here.
  private static func refused(_ program: String) -> [String: Synonym] {
    let download = "\(program) does not download; fetch the GGUF, then run ggufpack convert MODEL.gguf"
    return [
      "-hf": .refused(download), "-hfr": .refused(download), "--hf-repo": .refused(download), "--hf-file": .refused(download),
      "-hff": .refused(download), "-mu": .refused(download), "--model-url": .refused(download),
      "--lora": .refused(adapters), "--lora-scaled": .refused(adapters), "--control-vector": .refused(adapters),
      "--mmproj": .refused(pictures), "-mm": .refused(pictures), "--image": .refused(pictures), "--audio": .refused(pictures),
      "--rpc": .refused(distance),
      "--rope-scaling": .refused(rotation), "--rope-scale": .refused(rotation), "--rope-freq-base": .refused(rotation),
      "--rope-freq-scale": .refused(rotation), "--yarn-orig-ctx": .refused(rotation), "--yarn-ext-factor": .refused(rotation),
      "--yarn-attn-factor": .refused(rotation), "--yarn-beta-slow": .refused(rotation), "--yarn-beta-fast": .refused(rotation),
      "--override-kv": .refused("a pack keeps the model's own keys; change the GGUF, then run ggufpack convert MODEL.gguf"),
      "--context-shift": .refused("a context is not shifted; packrun chat leaves out the earliest turns when it is full"),
    ]
  }
}
