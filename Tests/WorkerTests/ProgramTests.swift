import Core
import Testing
import Worker

@Suite struct ProgramTests {
    private func outcome(_ arguments: [String]) -> (status: Int32, message: String) {
        do {
            try Program.checkCommand(arguments)
            var command = try Program.parseAsRoot(arguments)
            // Asking for help parses to a command whose result is an error.
            if !(command is Train || command is Demo) { try command.run() }
            return (-1, "parsed")
        } catch {
            return Program.outcome(of: error)
        }
    }

    @Test func parsesTrain() throws {
        let command = try Program.parseAsRoot([
            "train", "--config", "run.yaml", "--set", "optimizer.learning_rate=1e-6", "seed=2", "--set", "seed=3",
        ])
        let train = try #require(command as? Train)
        #expect(train.options.config == "run.yaml")
        #expect(train.options.set == ["optimizer.learning_rate=1e-6", "seed=2", "seed=3"])
    }

    @Test func withoutArgumentsItIsTheDemonstration() throws {
        #expect(try Program.parseAsRoot([]) is Demo)
    }

    @Test(arguments: [
        (["train"], "--config"), (["train", "--config", "x", "--rsume"], "--rsume"), (["trian"], "did you mean train?"),
        (["serve"], "unknown command 'serve'; known: train"), (["--nothing"], "--nothing"),
    ])
    func wrongArgumentsHaveStatus2(arguments: [String], expected: String) {
        let (status, message) = outcome(arguments)
        #expect(status == 2)
        #expect(message.contains(expected), "\(message)")
    }

    @Test func helpAndVersionHaveStatus0() {
        let help = outcome(["--help"])
        #expect(help.status == 0)
        #expect(help.message.contains("train") && help.message.contains("Exit status"))
        #expect(outcome(["train", "--help"]).message.contains("--set"))
        #expect(outcome(["--version"]) == (0, Program.version))
    }

    @Test func everyErrorHasItsStatus() {
        #expect(Program.outcome(of: MISPError("x", at: "run.yaml")) == (2, "run.yaml: x"))
        #expect(Program.outcome(of: MISPError("x", kind: .interrupted)).status == 3)
        #expect(Program.outcome(of: MISPError("x", kind: .defect)).status == 1)
        #expect(Program.outcome(of: CancellationError()).status == 1)
    }
}
