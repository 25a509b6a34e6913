// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import PackRuntime
import Tokenization

extension ModelError: FailureConvertible {
  package var failure: Failure {
    let line = line { $0.option }
    switch self {
    case .noRoom: return Failure(line, exitCode: .outOfMemory)
    case .runtime(.pack(let error)): return error.failure
    case .runtime(.shortage), .runtime(.memoryLimit), .runtime(.hugePageShortage), .runtime(.filesystemShortage):
      return Failure(line, exitCode: .outOfMemory)
    case .runtime(.interrupted): return Failure(line, exitCode: .interrupted)
    case .runtime: return Failure(line, exitCode: .failed)
    default: return Failure(line)
    }
  }
}

extension TokenizerError: FailureConvertible {
  package var failure: Failure { Failure(description) }
}

extension ChatTemplateError: FailureConvertible {
  package var failure: Failure { Failure(description) }
}

extension Remedy {
  /// The option of packserve, or the command, that does it; nil if there is none.
  fileprivate var option: String? {
    switch self {
    case .spill: "--spill"
    case .threads(let count): "--threads \(count)"
    case .shorterContext, .longerContext: "--ctx"
    case .smallerBatch: "--batch"
    case .fewerSequences: "--parallel"
    case .smallerCache: "--kv q8_0"
    case .convert(let nodes): "ggufpack convert --nodes \(nodes)"
    case .copyForEachNode: "ggufpack convert --copies"
    case .decompress: "ggufpack decompress"
    case .pin, .pinAgain: "packrun pin"
    case .unpin: "packrun unpin"
    default: nil
    }
  }
}
