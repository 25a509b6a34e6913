// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The counters of a server in the text format of Prometheus, under the names used by llama.cpp's server and vLLM.
public enum MetricsText {
  /// Returns the document.
  ///
  /// - Parameter traffic: What each node has read of its weights.
  public static func of(_ scheduler: Scheduler, _ traffic: [WeightTraffic]) -> String {
    let counters = scheduler.counters
    func rate(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
    let busy = rate(counters.stepSequences, Double(counters.steps))
    let rows: [(name: String, type: String, help: String, value: Double)] = [
      ("llamacpp:prompt_tokens_total", "counter", "Prompt tokens that were computed.", Double(counters.promptTokens)),
      ("llamacpp:prompt_seconds_total", "counter", "Seconds spent on reading prompts.", counters.readingSeconds),
      ("llamacpp:tokens_predicted_total", "counter", "Tokens of answers that have ended.", Double(counters.answerTokens)),
      ("llamacpp:tokens_predicted_seconds_total", "counter", "Seconds spent on the steps of answers.", counters.writingSeconds),
      ("llamacpp:n_decode_total", "counter", "Steps of answers.", Double(counters.steps)),
      ("llamacpp:n_busy_slots_per_decode", "gauge", "Answers in a step, on average.", busy),
      (
        "llamacpp:prompt_tokens_seconds", "gauge", "Prompt tokens read per second, on average.",
        rate(counters.promptTokens, counters.readingSeconds)
      ),
      (
        "llamacpp:predicted_tokens_seconds", "gauge", "Tokens written per second of steps, on average.",
        rate(counters.stepSequences, counters.writingSeconds)
      ),
      ("llamacpp:requests_processing", "gauge", "Requests that are worked on.", Double(scheduler.runningCount)),
      ("llamacpp:requests_deferred", "gauge", "Requests that wait.", Double(scheduler.waitingCount)),
      ("vllm:num_requests_running", "gauge", "Requests that are worked on.", Double(scheduler.runningCount)),
      ("vllm:num_requests_waiting", "gauge", "Requests that wait.", Double(scheduler.waitingCount)),
      (
        "vllm:prompt_tokens_total", "counter", "Prompt tokens, including those that were cached.",
        Double(counters.promptTokens + counters.cachedTokens)
      ),
      ("vllm:generation_tokens_total", "counter", "Tokens of answers that have ended.", Double(counters.answerTokens)),
      ("vllm:prefix_cache_hits_total", "counter", "Prompt tokens that were cached.", Double(counters.cachedTokens)),
      (
        "packserve:prefix_memory_tokens_total", "counter", "Prompt tokens copied from prefixes in memory.",
        Double(counters.cachedMemoryTokens)
      ),
      (
        "packserve:prefix_disk_tokens_total", "counter", "Prompt tokens read from the disk.",
        Double(counters.cachedDiskTokens)
      ),
      ("packserve:prefixes_in_memory", "gauge", "Prefixes in memory, not counting those in slots.", Double(counters.prefixes)),
      ("packserve:prefix_bytes_in_memory", "gauge", "Bytes that prefixes in memory take.", Double(counters.prefixBytes)),
      ("packserve:prefix_files", "gauge", "Prefixes on disk.", Double(scheduler.options.store?.count ?? 0)),
      (
        "packserve:prefix_files_written_total", "counter", "Prefixes written to the disk.",
        Double(scheduler.options.store?.written ?? 0)
      ),
      (
        "packserve:prefix_files_damaged_total", "counter", "Prefix files that were damaged and removed.",
        Double(scheduler.options.store?.damaged ?? 0)
      ),
      ("packserve:answers_finished_total", "counter", "Answers that have ended.", Double(counters.finished)),
      ("packserve:answers_cancelled_total", "counter", "Answers that clients abandoned.", Double(counters.cancelled)),
      ("packserve:answers_failed_total", "counter", "Answers that failed in the model.", Double(counters.failed)),
    ]
    return rows.map { head($0.name, $0.type, $0.help) + "\($0.name) \($0.value)\n" }.joined() + text(of: traffic)
  }

  private static func head(_ name: String, _ type: String, _ help: String) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  /// Returns one counter for each node.
  private static func text(of traffic: [WeightTraffic]) -> String {
    let name = "packserve:weight_bytes_read_total"
    let help = "Bytes of weights that the threads of a node have read; of experts, those of one token per step."
    return head(name, "counter", help)
      + traffic.map { "\(name){node=\"\($0.node)\"} \(Double($0.byteCount))\n" }.joined()
  }
}
