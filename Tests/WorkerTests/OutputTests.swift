import Core
import Foundation
import Testing
import Worker

@Suite struct MetricsWriterTests {
    private let url = FileManager.default.temporaryDirectory.appending(path: "misp-metrics-\(UUID().uuidString).jsonl")

    private func metrics(_ step: Int) -> StepMetrics {
        var metrics = StepMetrics(step: step, epoch: 0.1 * Double(step))
        metrics[.loss] = 0.1 + 0.2
        metrics[.gradNorm] = .infinity
        metrics[.learningRate] = 1e-5
        return metrics
    }

    @Test func writesOneLineAStep() throws {
        defer { try? FileManager.default.removeItem(at: url) }
        let writer = try MetricsWriter(url)
        try writer.append(metrics(1))
        try writer.append(metrics(2))
        let lines = try JSON.lines(contentsOf: url)
        #expect(
            lines[1].value.object?.keys == [
                "step", "epoch", "loss", "loss/image", "loss/text", "grad_norm", "learning_rate", "rewards/chosen",
                "rewards/rejected", "rewards/margins", "rewards/accuracies", "rewards/negatives", "logps/chosen",
                "logps/rejected", "is/ess", "is/max_weight", "balance/efficiency", "time/step", "time/forward",
                "time/backward", "time/reduce", "time/optimizer", "time/reference", "tokens_per_second", "mfu",
            ])
        #expect(lines.map { $0.value["step"]?.int } == [1, 2])
        #expect(lines[0].value["loss"]?.double == 0.1 + 0.2)
        #expect(lines[0].value["grad_norm"] == .null)
        #expect(lines[0].value["mfu"] == .null)
        #expect(
            try String(contentsOf: url, encoding: .utf8).hasPrefix(
                #"{"step":1,"epoch":0.1,"loss":0.30000000000000004,"loss/image":null,"#))
    }

    @Test func aResumedRunDropsLaterAndTornLines() throws {
        defer { try? FileManager.default.removeItem(at: url) }
        let writer = try MetricsWriter(url)
        for step in 1...5 { try writer.append(metrics(step)) }
        var text = try String(contentsOf: url, encoding: .utf8)
        text += #"{"step":6,"epo"#
        try Data(text.utf8).write(to: url)
        try MetricsWriter(url, continuingAfter: 3).append(metrics(4))
        #expect(try JSON.lines(contentsOf: url).map { $0.value["step"]?.int } == [1, 2, 3, 4])
        #expect(text.hasPrefix(try String(contentsOf: url, encoding: .utf8)))
        _ = try MetricsWriter(url)
        #expect(try Data(contentsOf: url).isEmpty)
    }

    @Test func namesAFileThatCannotBeWritten() {
        let error = #expect(throws: MISPError.self) {
            _ = try MetricsWriter(URL(filePath: "/nonexistent/metrics.jsonl"))
        }
        #expect(error?.description.contains("/nonexistent/metrics.jsonl") == true)
    }
}

@Suite struct ProgressTests {
    private final class Log { var text = "" }

    private func run(seconds: [Double], isTerminal: Bool) -> String {
        let log = Log()
        var progress = Progress(steps: seconds.count, isTerminal: isTerminal) { log.text += $0 }
        for (index, time) in seconds.enumerated() {
            var metrics = StepMetrics(step: index + 1, epoch: 0)
            metrics[.loss] = 1.38629
            metrics[.rewardMargin] = 0.25
            metrics[.timeStep] = time
            progress.update(metrics, groups: 8, tokens: 1000)
        }
        return log.text
    }

    @Test func redrawsOneLineOnATerminal() {
        let text = run(seconds: [2, 2, 2], isTerminal: true)
        #expect(text.filter { $0 == "\r" }.count == 3)
        #expect(text.hasSuffix("step 3/3  loss 1.3863  margin 0.2500  4.00 groups/s  500 tokens/s\n"))
        #expect(text.filter { $0 == "\n" }.count == 1)
    }

    @Test func writesFewLinesElsewhere() {
        let lines = run(seconds: Array(repeating: 1, count: 13), isTerminal: false).split(separator: "\n")
        #expect(lines.map { $0.prefix { $0 != "/" } } == ["step 1", "step 6", "step 11", "step 13"])
        #expect(lines[0] == "step 1/13  loss 1.3863  margin 0.2500  8.00 groups/s  1000 tokens/s  12 s left")
    }

    @Test(arguments: [(100, "3:18 min left"), (3720, "2:03 h left")])
    func tellsTheTimeLeft(steps: Int, expected: String) {
        #expect(run(seconds: Array(repeating: 2, count: steps), isTerminal: false).contains(expected))
    }
}
