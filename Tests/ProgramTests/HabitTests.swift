// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("Command lines as users of llama.cpp and ik_llama.cpp type them")
struct HabitTests {
  private let shell: Shell

  init() throws {
    let (folder, _) = try Fixture.pack("m.pack", "--align", "64K")
    shell = Shell(folder: folder)
    for name in ["m.gguf", "lone.gguf"] {
      try FileManager.default.copyItem(atPath: Fixture.path("gemma3-tiny.gguf"), toPath: folder.file(name))
    }
    let files = [
      "lines": "Once\nupon\n", "text": String(repeating: "Once upon a time. ", count: 20), "g.gbnf": #"root ::= "a" "b"?"#,
      "s.json": #"{"type": "boolean"}"#,
    ]
    for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: folder.file(name))) }
  }

  /// Runs a line in the folder of the packs.
  private func run(_ line: String) throws -> Program.Result {
    try shell.run("cd $W; packrun() { $P \"$@\"; }; ggufpack() { $G \"$@\"; }; \(line)")
  }

  private static let plain = "packrun m.pack -p Once -n 3 --temp 0 --ctx 64 -q"

  /// Lines as typed, and the same in our own words: both must print the same and nothing else.
  static let same = [
    ("packrun -m m.pack -p Once -n 3 --temp 0 -c 64 -q", plain),
    ("packrun -p Once -n 3 --temp 0 -c 64 -q -m m.pack", plain),
    ("packrun --model m --prompt Once --n-predict 3 --temp 0 --ctx-size 64 --quiet", plain),
    ("packrun -m m -p Once --predict 3 --temp 0 -c 64 -b 32 -t 1 -q", plain),
    ("packrun -m m -p Once -n 3 --temp 0 -c 64 --batch-size 32 --threads 2 -q", plain),
    ("packrun -m m -p Once -n 3 --temp 0 -c 64 --seed -1 -q", plain),
    ("packrun -m m -p Once -n 3 --temp 0 --top-k -1 --top-p 1 --min-p 0 --repeat-penalty 1.0 -c 64 -q", plain),
    ("echo Once | packrun -m m -n 3 --temp 0 -c 64 -q", plain), ("packrun -v -m m -p Once -n 3 --temp 0 -c 64 -q", plain),
    ("packrun -m m -p Once -n 3 --temp 0 -c 64 -q --verbose", plain),
    ("printf Once > prompt; packrun -m m -f prompt -n 3 --temp 0 -c 64 -q", plain),
    ("packrun -m m -p Once -n -1 --temp 0 -c 32 -q 2>/dev/null", "packrun m.pack -p Once --temp 0 --ctx 32 -q"),
    ("packrun -m m -p Once -n 3 -s 7 -c 64 -q", "packrun m.pack -p Once -n 3 --seed 7 --ctx 64 -q"),
    ("packrun -m m -p Once -n 3 --temp 0 -c 64 -ctk q8_0 -ctv q8_0 -q", "\(plain) --kv q8_0"),
    ("packrun -m m -p Once -n 3 --temp 0 -c 64 --cache-type-k q8_0 --cache-type-v q8_0 -q", "\(plain) --kv q8_0"),
    ("packrun -m m -p Once -n 9 --temp 0 -c 64 -r upon -q", "packrun m.pack -p Once -n 9 --temp 0 --ctx 64 --stop upon -q"),
    ("packrun -m m -p '--- a' -n 3 --temp 0 -c 64 -q", "printf %s '--- a' | packrun m.pack -n 3 --temp 0 --ctx 64 -q"),
    (#"packrun -m m -p 'a\nb\x41\"' -e -n 3 --temp 0 -c 64 -q"#, #"packrun m.pack -p $'a\nbA"' -n 3 --temp 0 --ctx 64 -q"#),
    (#"packrun -m m -p 'a\nb' --no-escape -n 3 --temp 0 -c 64 -q"#, #"packrun m.pack -p 'a\nb' -n 3 --temp 0 --ctx 64 -q"#),
    ("packrun -m m -f lines -np 2 -n 2 --temp 0 -c 64 -q", "packrun m.pack -f lines --parallel 2 -n 2 --temp 0 --ctx 64 -q"),
    (
      "packrun -m m -p Once -n 4 --temp 0 -c 64 --grammar-file g.gbnf -q",
      "packrun m.pack -p Once -n 4 --temp 0 --ctx 64 --grammar g.gbnf -q"
    ),
    (
      "packrun -m m -p Once -n 4 --temp 0 -c 64 -jf s.json -q",
      "packrun m.pack -p Once -n 4 --temp 0 --ctx 64 --json-schema s.json -q"
    ),
    ("packrun tokenize -m m -p 'Once upon'", "packrun tokenize m.pack 'Once upon'"),
    ("packrun perplexity -m m -f text -c 64", "packrun perplexity m.pack -f text --ctx 64"),
    (
      "echo Hi | packrun chat -m m --chat-template chatml -sys Short. -n 2 --temp 0 -c 128 2>/dev/null",
      "echo Hi | packrun chat m.pack --template chatml --system Short. -n 2 --temp 0 --ctx 128 2>/dev/null"
    ),
  ]

  @Test("Other names of options have the same meaning")
  func names() throws {
    for (typed, own) in Self.same {
      let (result, expected) = (try run(typed), try run(own))
      #expect(result.exitCode == 0 && result.errors.isEmpty, "\(typed): \(result.errors)")
      #expect(expected.exitCode == 0 && !expected.output.isEmpty, "\(own): \(expected.errors)")
      #expect(result.output == expected.output, "\(typed): \(result.text) instead of \(expected.text)")
    }
  }

  /// Additional options of a line, and the reason why they change nothing.
  static let notNeeded = [
    ("-ngl 99", "computes on the CPU"), ("-ngl -1", "computes on the CPU"), ("--n-gpu-layers all", "computes on the CPU"),
    ("--gpu-layers 0", "computes on the CPU"), ("-sm layer", "computes on the CPU"), ("-ts 3,1", "computes on the CPU"),
    ("-mg 0", "computes on the CPU"), ("-ot exps=CPU", "computes on the CPU"), ("--cpu-moe", "computes on the CPU"),
    ("--n-cpu-moe 4", "computes on the CPU"), ("-nkvo", "computes on the CPU"), ("--numa distribute", "packrun placement"),
    ("--mlock", "packrun pin"), ("--no-mmap", "--memory anon"), ("-fa", "attention"), ("-fa on", "attention"),
    ("--flash-attn auto", "attention"), ("--jinja", "the model's own chat template"), ("-cnv", "packrun chat"),
    ("-no-cnv", "packrun chat"), ("-i", "packrun chat"), ("--no-warmup", "warmed up"), ("-ub 64", "--batch"),
    ("--ubatch-size 64", "--batch"), ("-tb 2", "--threads"), ("--log-disable", "--quiet"),
    ("--no-display-prompt", "not repeated"), ("--color", "colour"), ("--no-perf", "--quiet"), ("--simple-io", "plain text"),
    ("--no-context-shift", "full context"), ("--no-repack", "laid"), ("-rtr", "laid"), ("-fmoe", "together"),
    ("-mla 3", "compressed"),
    ("-amb 512", "attention"),
  ]

  @Test("Options that are not needed change nothing, and one line gives the reason")
  func unneeded() throws {
    let expected = try run(Self.plain).output
    for (option, reason) in Self.notNeeded {
      let result = try run("packrun \(option) -m m -p Once -n 3 --temp 0 -c 64 -q")
      #expect(result.exitCode == 0 && result.output == expected, "\(option): \(result.text)")
      let name = option.split(separator: " ")[0]
      #expect(result.errors.isOneLine && result.errors.hasPrefix("packrun: \(name) is not needed: "), "\(option): \(result.errors)")
      #expect(result.errors.contains(reason), "\(option): \(result.errors)")
    }
    let bench = try run("packrun bench -m m -p 4 -n 2 -r 1 -ngl 99 -fa 1 -mmp 0 -ctk f16 -t 1")
    #expect(bench.exitCode == 0 && bench.text.contains("| pp4") && bench.text.contains("| tg2"), "\(bench.errors)")
  }

  /// Lines that cannot be done, their exit codes, and what the message must say.
  static let refused: [(String, Int32, [String])] = [
    ("packrun -m m -p Once --lora a.gguf", 64, ["--lora: adapters are not applied", "ggufpack convert"]),
    ("packrun -hf user/model -p Once", 64, ["-hf: packrun does not download", "ggufpack convert"]),
    ("packrun --hf-repo user/model:Q4_K_M", 64, ["--hf-repo: packrun does not download"]),
    ("packrun -mu https://example.org/m.gguf", 64, ["-mu: packrun does not download"]),
    ("packrun -m m --mmproj p.gguf -p Once", 64, ["--mmproj: only text is read"]),
    ("packrun -m m --image a.png -p Once", 64, ["--image: only text is read"]),
    ("packrun -m m --rpc 10.0.0.2:50052 -p Once", 64, ["--rpc: a model runs on one machine"]),
    ("packrun -m m --override-kv a=int:1 -p Once", 64, ["--override-kv: a pack keeps the model's own keys"]),
    ("packrun -m m --control-vector v.gguf -p Once", 64, ["--control-vector: adapters are not applied"]),
    ("packrun -m m --context-shift -p Once", 64, ["--context-shift: a context is not shifted"]),
    ("packrun -m m -p Once -ctk f16 -ctv q8_0", 64, ["-ctk f16 and -ctv q8_0: both are --kv here"]),
    ("packrun -m m -p Once -ctk q4_0", 64, ["q4_0", "f16", "q8_0"]),
    ("packrun -m m -p Once --tmp 0", 64, ["--tmp", "did you mean", "--temp"]),
    ("packrun -m m -p Once --mirostat 2", 64, ["--mirostat"]), ("packrun -m m -p Once -xyz", 64, ["'-xyz'"]),
    ("packrun -m m -p Once -n -7", 64, ["-n -7", "-1 or more"]), ("packrun -m", 64, ["-m"]),
    ("packrun rnu m -p Once", 64, ["'rnu'", "did you mean run"]), ("packrun chatt m", 64, ["'chatt'", "did you mean chat"]),
    ("ggufpack convrt m.gguf", 64, ["'convrt'", "did you mean convert"]),
    ("packrun -m m.gguf -p Once", 2, ["m.gguf: this is a file; the pack beside it is m.pack"]),
    ("packrun -m lone.gguf -p Once", 2, ["lone.gguf: this is a model", "ggufpack convert lone.gguf"]),
    ("packrun -m lone -p Once", 2, ["lone: there is no such pack", "ggufpack convert lone.gguf"]),
    ("packrun -m none -p Once", 2, ["none: cannot open it"]),
    ("packrun -m m -p Once -c 99999999999", 64, ["--ctx"]),
    ("ggufpack convert m.gguf/", 2, ["m.gguf/: this is not a folder; leave out the slash at the end"]),
    ("ggufpack convert m.gguf --align 3", 64, ["a power of two from 4096 to 1G"]),
    (": > empty.gguf; ggufpack convert empty.gguf", 2, ["empty.gguf: the file is empty"]),
  ]

  @Test("Unsupported options are refused by name, with what to do instead, and mistakes with what was probably meant")
  func refusals() throws {
    for (line, exitCode, words) in Self.refused {
      let result = try run(line)
      #expect(result.exitCode == exitCode && result.errors.isOneLine && result.output.isEmpty, "\(line): \(result.errors)")
      for word in words { #expect(result.errors.lowercased().contains(word.lowercased()), "\(line): \(result.errors)") }
    }
  }

  @Test("--verbose-prompt prints the tokens of the prompt")
  func verbosePrompt() throws {
    let result = try run("packrun -m m -p Once -n 1 --temp 0 -c 64 -q --verbose-prompt")
    #expect(result.exitCode == 0 && result.errors.hasPrefix("packrun: 2 -> '<bos>'\npackrun: "), "\(result.errors)")
    let ids = try run("packrun tokenize m Once").text.split(whereSeparator: \.isWhitespace)
    #expect(result.errors.split(separator: "\n").compactMap { $0.split(separator: " ").dropFirst().first } == ids)
  }

  @Test("A rate or a deviation is left out if there was nothing to measure")
  func nothingToMeasure() throws {
    let none = try run("packrun m -p Once -n 0 --ctx 64")
    #expect(none.exitCode == 0 && none.errors.contains("; answer 0 tokens; ") && !none.errors.contains("0.0/s"), "\(none.errors)")
    let one = try run("printf a > a; packrun perplexity m -f a; printf 'a b' > a; packrun perplexity m -f a")
    #expect(!one.text.contains("+/- 0.00000"), "\(one.text)")
  }
}
