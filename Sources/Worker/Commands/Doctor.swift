import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Doctor: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Says what this machine gives, and what to fix.",
        discussion: """
            On as many ranks as it is started with, as a run would be:

              \(Typed.ranks(2)) doctor
              \(Typed.launcher("hosts")) --hostfile hosts -n 64 -- doctor

            Ends with status 2 where something should be fixed.
            """)

    package init() {}

    package func run() throws {
        throw ExitCode(
            Communicators.run { communicator in
                let findings = try Examination(communicator).findings()
                guard communicator.rank == 0 else { return findings.contains { $0.remedy != nil } ? 2 : 0 }
                Console.show(findings.map(\.line))
                let ailing = findings.count { $0.remedy != nil }
                print(ailing == 0 ? "nothing to fix" : "\(ailing) to fix")
                return ailing == 0 ? 0 : 2
            })
    }
}
