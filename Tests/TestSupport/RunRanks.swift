import Foundation

/// What a run of several processes came to.
package struct RankRun: Sendable {
    /// The launcher's exit status; -1 if it had to be killed.
    package let status: Int32
    package let output: String
    package let errors: String
    package let seconds: Double

    package var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Starts `executable`, a product of this package, and waits for it.
///
/// - Parameters:
///   - ranks: how many `mpirun` starts, as many as there are cores or not; nil starts the program by itself.
///   - launcher: further options of `mpirun`.
///   - environment: added to the environment of this process.
///   - limit: seconds until the run is killed.
///   - meanwhile: called once the run has started, with the process's number.
package func runRanks(
    _ ranks: Int?, _ executable: String, _ arguments: [String] = [], launcher: [String] = [],
    environment: [String: String] = [:], limit: Double = 60, meanwhile: (Int32) -> Void = { _ in }
) throws -> RankRun {
    let program = try builtProduct(executable).path
    let process = Process()
    process.executableURL = URL(fileURLWithPath: ranks == nil ? program : "/usr/bin/env")
    if let ranks {
        process.arguments = ["mpirun", "-n", "\(ranks)", "--bind-to", "none"] + launcher + [program] + arguments
    } else {
        process.arguments = arguments
    }
    process.environment = ProcessInfo.processInfo.environment.merging(launching) { $1 }.merging(environment) { $1 }

    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ranks-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = ["output", "errors"].map { folder.appendingPathComponent($0) }
    let handles = try files.map { file in
        try Data().write(to: file)
        return try FileHandle(forWritingTo: file)
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }

    let start = DispatchTime.now().uptimeNanoseconds
    try withoutHeldSignals { try process.run() }
    meanwhile(process.processIdentifier)
    var status: Int32 = -1
    if ended.wait(timeout: .now() + limit) == .success {
        status = process.terminationStatus
    } else {
        // mpirun takes its ranks along on SIGTERM; killed outright it would leave them behind.
        process.terminate()
        if ended.wait(timeout: .now() + 5) != .success {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
    }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    return RankRun(status: status, output: texts[0], errors: texts[1], seconds: seconds)
}

/// Root may launch (containers), and more ranks than cores.
private let launching = [
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "SWIFT_BACKTRACE": "enable=no",
]

/// The package's products lie beside the test bundle: on Linux that is the running program, on macOS an argument.
package func builtProduct(_ name: String) throws -> URL {
    var places = [Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
    for argument in CommandLine.arguments where argument.contains(".xctest") {
        var place = URL(fileURLWithPath: argument)
        while place.path.contains(".xctest") { place.deleteLastPathComponent() }
        places.append(place)
    }
    let candidates = places.map { $0.appendingPathComponent(name) }
    guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
        throw MissingProduct(description: "no \(name) in any of \(places.map(\.path)): build it first")
    }
    return found
}

private struct MissingProduct: Error, CustomStringConvertible {
    let description: String
}
