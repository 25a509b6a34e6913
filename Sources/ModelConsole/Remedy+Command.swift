// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

extension Remedy {
  /// The option or command for the remedy; nil if there is none.
  fileprivate var command: String? {
    switch self {
    case .mapNodes: "--map-nodes"
    case .spill: "--spill"
    case .threads(let count): "--threads \(count)"
    case .memory(let kind): "--memory \(kind.rawValue)"
    case .shorterContext, .longerContext: "--ctx"
    case .contextOf(let tokens): "--ctx \(tokens)"
    case .smallerBatch: "--batch"
    case .fewerSequences: "--parallel"
    case .smallerCache: "--kv q8_0"
    case .convert(let nodes): "ggufpack convert --nodes \(nodes)"
    case .copyForEachNode: "ggufpack convert --copies"
    case .decompress: "ggufpack decompress"
    case .pin, .pinAgain: "packrun pin"
    case .unpin: "packrun unpin"
    case .reserveHugePages, .dropFromCache: "packrun doctor says how"
    case .raiseLimit: "docker run --memory, systemctl set-property UNIT MemoryMax="
    case .enlarge(let path, let mebibytes): "mount -o remount,size=\(mebibytes)M \(path)"
    case .otherPlace: "mount -t hugetlbfs -o pagesize=2M none /dev/hugepages, or mount -t tmpfs none /dev/shm"
    case .shorterPrompt, .freeMemory: nil
    }
  }
}

extension Remediable {
  /// The line that a program prints: the problem, and the options and commands that help.
  package var line: String { line { $0.command } }
}

extension RuntimeOption {
  /// The option's name on the command line.
  package var flag: String { self == .nodeMap ? "--map-nodes" : "--\(rawValue)" }
}
