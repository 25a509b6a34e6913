// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import PackRuntime
import Tokenization

extension RuntimeError: FailureConvertible {
  package var failure: Failure {
    if case .badOption(let option, let value, let problem, let remedies) = self {
      return Failure(Note("\(option.flag) \(value): \(problem)", remedies).line, exitCode: .wrongUsage)
    }
    return Failure(line, exitCode: status)
  }

  private var status: ExitCode {
    switch self {
    case .shortage, .memoryLimit, .hugePageShortage, .filesystemShortage: .outOfMemory
    case .interrupted: .interrupted
    case .badOption: .wrongUsage
    case .pack(let error): error.failure.exitCode
    case .file(_, _, _, let isWriting): isWriting ? .failed : .unusable
    case .system, .staleReplica: .failed
    }
  }
}

extension ModelError: FailureConvertible {
  package var failure: Failure {
    switch self {
    case .noRoom, .contextTooLong: Failure(line, exitCode: .outOfMemory)
    case .runtime(let error): error.failure
    default: Failure(line)
    }
  }
}

extension TokenizerError: FailureConvertible {
  package var failure: Failure {
    if case .unknownModel = self { return Failure("\(self); token ids can still be evaluated (packrun logits)") }
    return Failure(description)
  }
}

extension ChatTemplateError: FailureConvertible {
  package var failure: Failure {
    switch self {
    case .program, .refused: Failure(description, exitCode: .failed)
    default: Failure(description)
    }
  }
}
