import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Plan: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Says what a run takes on any number of ranks, before it runs.",
        discussion: """
            Measures a group's gradient and the memory here, on as many ranks as it is started with, and computes \
            memory, computation and communication of a step for the given numbers of ranks:

              \(Typed.program) plan --config run.yaml --ranks 1,8,64,4096 --network 25Gb --cores-per-host 64
            """)

    @OptionGroup package var options: RunOptions

    @Option(help: ArgumentHelp("Numbers of ranks, separated by commas.", valueName: "1,8,64"))
    package var ranks = "1,2,4,8,16,32,64"

    @Option(help: ArgumentHelp("What a host sends and receives in a second: 10Gb, 25Gb, 3GB.", valueName: "rate"))
    package var network = "25Gb"

    @Option(help: ArgumentHelp("Microseconds until a small message is on another host.", valueName: "µs"))
    package var latency = 30.0

    @Option(help: ArgumentHelp("Cores of a host; as many as this one has unless given.", valueName: "n"))
    package var coresPerHost: Int?

    @Option(
        help: ArgumentHelp("Ranks of a host; its cores, divided by compute.threads, unless given.", valueName: "n"))
    package var ranksPerHost: Int?

    @Option(
        help: ArgumentHelp(
            "Groups of the data, the file's over and over; as many as it has unless given.", valueName: "n"))
    package var groups: Int?

    @Option(help: ArgumentHelp("A file for the numbers (JSON).", valueName: "file"))
    package var json: String?

    package init() {}

    package func run() throws {
        let configuration = try options.configuration()
        let counts = try rankCounts
        let network = CostModel.Network(latency: latency * 1e-6, bandwidth: try Self.bytesPerSecond(network))
        let room = max((coresPerHost ?? usableCores) / configuration.compute.threads, 1)
        throw ExitCode(
            Communicators.run { communicator in
                let report = try Planner(configuration, communicator: communicator).report(
                    ranks: counts, network: network, room: room, ranksPerHost: ranksPerHost ?? room, count: groups)
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    Console.show(report.lines)
                    if let json { try FileOutput.write(report.json.description + "\n", to: URL(filePath: json)) }
                }
                return 0
            })
    }

    package func validate() throws {
        _ = try rankCounts
        guard latency >= 0, latency.isFinite else {
            throw ValidationError("--latency is \(latency), but must be 0 or more")
        }
        let counts = [("ranks-per-host", ranksPerHost), ("cores-per-host", coresPerHost), ("groups", groups)]
        for case (let name, let count?) in counts where !(1...1_000_000 ~= count) {
            throw ValidationError("--\(name) is \(count), but must be at least 1 and at most 1000000")
        }
    }

    private var rankCounts: [Int] {
        get throws {
            try ranks.split(separator: ",").map { part in
                guard let count = Int(part), 1...1_000_000 ~= count else {
                    throw ValidationError("--ranks is '\(ranks)', but takes numbers such as 1,8,64")
                }
                return count
            }
        }
    }

    /// `25Gb` is bits, `3GB` bytes; K, M, G and T are powers of 1000.
    package static func bytesPerSecond(_ text: String) throws(MISPError) -> Double {
        let units: [Character: Double] = ["K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12]
        var rest = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
        let isBits = rest.hasSuffix("b") || rest.hasSuffix("bit") || rest.hasSuffix("bps")
        for ending in ["bps", "bit", "b", "B"] where rest.hasSuffix(ending) {
            rest = rest.dropLast(ending.count)
            break
        }
        let unit = rest.last.flatMap { units[$0] }
        guard let number = Double(rest.dropLast(unit == nil ? 0 : 1)), number > 0, number.isFinite else {
            throw MISPError("is '\(text)'", at: "--network", remedy: "give a rate such as 25Gb or 3GB")
        }
        return number * (unit ?? 1) / (isBits ? 8 : 1)
    }
}
