// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Inference

/// Chooses the slot for a prompt, and where the prompt's beginning comes from: the slot itself, a prefix in memory, a busy slot, or
/// a file.
extension Lane {
  /// The fewest tokens that another source must know in addition to a free slot to be used, and that a slot must lose to be copied
  /// first.
  static let leastGain = 16

  /// Chooses a free slot for a request and puts the longest known beginning of its prompt there; nil if a file is read first. At
  /// least one slot must be free.
  func slot(for ticket: Ticket) -> Int? {
    let prompt = ticket.request.prompt
    if ticket.request.pooling != nil {
      // An embedding needs the hidden states of all tokens, including known ones.
      guard let index = oldestFreeSlot else { return nil }
      keepAside(index, keeping: 0)
      slots[index].cache.clear(in: model)
      return index
    }
    let (index, own) = freeSlot(for: prompt)
    guard prompt.count > Self.leastGain else {
      keepAside(index, keeping: own)
      return index
    }
    var best: (prefix: PrefixCache.Prefix, usable: Int)?
    let read = ticket.takeRead()
    if let read {
      insert(read)
      best = (read, read.usable(for: prompt))
    }
    if let found = memory.best(for: prompt), found.usable > best?.usable ?? 0 { best = found }
    if best?.usable ?? 0 < own + Self.leastGain { best = nil }
    if let found = busySlot(for: prompt, atLeast: (best?.usable ?? own) + Self.leastGain) { best = found }
    if best == nil || read == nil, readsFile(for: ticket, known: best?.usable ?? own) { return nil }
    guard let best else {
      keepAside(index, keeping: own)
      return index
    }
    // What the slot with the longest beginning holds may be wanted again, so the least recently used slot is overwritten instead.
    let oldest = oldestFreeSlot ?? index
    keepAside(oldest, keeping: 0)
    slots[oldest].cache.restore(best.prefix.copy, of: best.prefix.tokens, known: best.usable, in: model)
    if read?.copy === best.prefix.copy {
      counters.noteFromDisk(best.usable)
    } else {
      counters.noteFromMemory(best.usable)
    }
    return oldest
  }

  /// The least recently used free slot.
  private var oldestFreeSlot: Int? {
    slots.indices.filter { slots[$0].answer == nil }.min { slots[$0].lastUse < slots[$1].lastUse }
  }

  /// Returns the free slot that saves the most tokens of a prompt, and how many; of equal slots the least recently used.
  private func freeSlot(for prompt: [Int32]) -> (index: Int, usable: Int) {
    var best = (index: -1, usable: -1)
    for (index, slot) in slots.enumerated() where slot.answer == nil {
      let usable = model.restart(index, at: slot.cache.known(of: prompt))
      if usable > best.usable || usable == best.usable && slot.lastUse < slots[best.index].lastUse { best = (index, usable) }
    }
    return best
  }

  /// Returns a copy of what a busy slot knows of a prompt.
  private func busySlot(for prompt: [Int32], atLeast least: Int) -> (prefix: PrefixCache.Prefix, usable: Int)? {
    for (index, slot) in slots.enumerated() where slot.answer != nil {
      let known = slot.cache.known(of: prompt)
      guard known >= least, model.restart(index, at: known) >= least, let copy = copy(of: index, upTo: known) else { continue }
      return (PrefixCache.Prefix(tokens: Array(slot.cache.tokens.prefix(copy.length)), copy: copy), copy.length)
    }
    return nil
  }

  /// Starts reading a file that knows more than `known` tokens of a prompt, if that is worth it. The request returns to the inbox
  /// afterwards.
  private func readsFile(for ticket: Ticket, known: Int) -> Bool {
    let prompt = ticket.request.prompt
    guard let store, !ticket.hasRead, let file = store.best(for: prompt, moreThan: known + Self.leastGain - 1),
      // Worth it if it saves at least a quarter of the file's tokens, because the whole file must be read.
      (file.usable - known) * 4 >= store.tokenCount(file.name)
    else { return false }
    inbox.expectBack()
    store.load(file.name, for: model) { [inbox] prefix in
      ticket.noteRead(prefix)
      inbox.putBack(ticket)
    }
    return true
  }

  /// Copies what a slot holds before it loses all but `kept` of its tokens.
  private func keepAside(_ index: Int, keeping kept: Int) {
    let tokens = slots[index].cache.tokens
    guard tokens.count - kept >= Self.leastGain else { return }
    let isWanted = memory.limit > 0 && !memory.covers(tokens)
    let isUnsaved = store != nil && !slots[index].isSaved
    guard isWanted || isUnsaved, let copy = copy(of: index) else { return }
    if isUnsaved { slots[index].isSaved = store?.save(tokens, copy, layout: layout) ?? true }
    if isWanted { insert(PrefixCache.Prefix(tokens: tokens, copy: copy)) }
  }

  private func insert(_ prefix: PrefixCache.Prefix) {
    let (count, byteCount) = (memory.prefixes.count, memory.byteCount)
    memory.insert(prefix)
    // The lanes of other models count their prefixes in the same counters.
    counters.noteMemory(prefixes: memory.prefixes.count - count, byteCount: memory.byteCount - byteCount)
  }

  /// Writes what free slots hold to the disk, unless it is already there.
  ///
  /// - Parameter waits: Whether to wait until everything is written; otherwise only what the queue has room for is written.
  func savePrefixes(waits: Bool = false) {
    guard let store else { return }
    for index in slots.indices where slots[index].answer == nil && !slots[index].isSaved {
      let tokens = slots[index].cache.tokens
      guard tokens.count >= Self.leastGain, let copy = copy(of: index) else { continue }
      if waits { store.finish() }
      slots[index].isSaved = store.save(tokens, copy, layout: layout)
    }
    if waits { store.finish() }
  }

  private func copy(of index: Int, upTo most: Int? = nil) -> SequenceCopy? {
    do throws(ModelError) {
      return try model.copy(of: index, upTo: most)
    } catch {
      if !hasLackedMemory { log("a prefix is not kept: \(error)") }
      hasLackedMemory = true
      return nil
    }
  }
}
