import Coordinator
import Core
import Foundation

/// Checkpoints of steps 1 to 3, whose buffers change while they are written; then the newest is read back.
///
/// Option: `limit`, bytes that a file may have from step 3 on.
func checkCheckpoints(_ ranks: any Communicator, _ options: Options) throws {
    // More than one chunk of the store, so that parts travel.
    let elements = (1 << 22) + 100_003
    let store = CheckpointStore(
        URL(fileURLWithPath: ProcessInfo.processInfo.environment["PROBE_FOLDER"] ?? ""), communicator: ranks)
    let slice = OrderedReduction.slice(of: ranks.rank, of: ranks.size, elements: elements)
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(slice.count, 1))
    defer { values.deallocate() }
    guard let base = values.baseAddress else { return }
    let buffers = [CheckpointStore.Buffer("values", slice: base)]

    var failure: (any Error)?
    for step in 1...3 {
        for (index, element) in slice.enumerated() { values[index] = value(element, step) }
        if step == 3, let limit = options["limit"] {
            try store.settle()
            limitFiles(to: limit)
        }
        try store.save(step: step, state: ["step": .integer(step)], elements: elements, buffers: buffers, keep: 2)
        values.update(repeating: -1)
    }
    do { try store.settle() } catch { failure = error }
    guard let saved = try store.newest(buffers: ["values"], tell: { print("passed over: \($0)") }) else {
        throw MISPError("there is no checkpoint", kind: .defect)
    }
    try store.restore(saved, elements: elements, buffers: buffers)
    try ranks.agree {
        try require(saved.state["step"].int() == saved.step, "state")
        try require(slice.enumerated().allSatisfy { values[$0] == value($1, saved.step) }, "values")
    }
    if ranks.rank == 0 {
        let names = try FileManager.default.contentsOfDirectory(atPath: store.folder.path).sorted()
        print("found step \(saved.step) of \(names.joined(separator: " "))")
    }
    if let failure { throw failure }
}

private func value(_ element: Int, _ step: Int) -> Float { Float(element % 1_000_003 + step) }

/// Without the signal that by default goes with it.
private func limitFiles(to bytes: Int) {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    #if os(Linux)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    #else
        setrlimit(RLIMIT_FSIZE, &limit)
    #endif
}
