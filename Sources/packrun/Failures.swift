// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import PackRuntime
import Tokenization

/// The one that both programs use; the library's is for its own messages.
typealias ByteCount = Console.ByteCount

extension RuntimeError: FailureConvertible {
  package var failure: Failure { Failure(description, exitCode: status) }

  private var status: ExitCode {
    switch self {
    case .shortage, .memoryLimit, .hugePageShortage, .filesystemShortage: .outOfMemory
    case .interrupted: .interrupted
    case .badOption: .wrongUsage
    case .pack(let error): error.failure.exitCode
    case .file: .unusable
    case .system, .staleReplica: .failed
    }
  }
}

extension ModelError: FailureConvertible {
  package var failure: Failure {
    switch self {
    case .noRoom: Failure(description, exitCode: .outOfMemory)
    case .runtime(let error): error.failure
    default: Failure(description)
    }
  }
}

extension TokenizerError: FailureConvertible {
  package var failure: Failure { Failure(description) }
}

extension ChatTemplateError: FailureConvertible {
  package var failure: Failure { Failure(description) }
}
