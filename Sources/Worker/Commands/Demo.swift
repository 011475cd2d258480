import ArgumentParser
import Core

package struct Demo: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Shows the method end to end on a small model and pictures of its own.")

    package init() {}

    package func run() throws {
        throw MISPError("the demonstration is not part of this build", kind: .defect)
    }
}
