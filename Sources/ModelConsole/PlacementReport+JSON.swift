// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import JSON
import PackRuntime

extension PlacementReport {
  /// The report as a JSON document.
  package var document: JSONObject {
    var document = JSONObject()
    document.set("memory", memory)
    if let reason { document.set("reason", reason.line) }
    document.set("blobs", blobs.map(\.json))
    document.set("bandwidth", bandwidth.map(\.json))
    document.set("notes", notes.map(\.line))
    document.set("isFromNumaMaps", isFromNumaMaps)
    return document
  }
}

extension PlacementReport.Blob {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("file", file)
    json.set("node", node)
    json.set("byteCount", byteCount)
    json.set("localPages", localPages)
    json["remotePages"] = .object(
      JSONObject(remotePages.sorted { $0.key < $1.key }.map { ("\($0.key)", .integer(Int128($0.value))) }))
    json.set("absentPages", absentPages)
    json.set("localPercent", localPercent)
    json.set("mappedBy2M", mappedBy2M)
    json.set("mappedBy1G", mappedBy1G)
    json.set("faults", faults)
    json.set("seconds", seconds)
    json.set("gigabytesPerSecond", gigabytesPerSecond)
    return json
  }
}

extension PlacementReport.Bandwidth {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("teamNode", teamNode)
    json.set("memoryNode", memoryNode)
    json.set("threads", threads)
    json.set("gigabytesPerSecond", gigabytesPerSecond)
    return json
  }
}
