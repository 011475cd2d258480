import Coordinator
import Core
import Foundation

/// The demonstration from nothing to its table, through the files and the code that any training goes through.
struct Demonstration {
    private let runs: DemoRuns
    private let data: DemoData
    private let communicator: any Communicator

    /// Cheap and the same on every rank.
    init(folder: URL, seed: UInt64, size: DemoSize, communicator: any Communicator) {
        runs = DemoRuns(folder: folder, seed: seed, size: size)
        data = DemoData(seed: seed, labels: size.labels, groups: size.groups, questions: size.questions)
        self.communicator = communicator
        BLAS.setThreads(1)
    }

    /// Collective.
    func execute() throws {
        var clock = Stopwatch()
        let ranks = communicator.size == 1 ? "1 rank" : "\(communicator.size) ranks"
        say("MISP-DPO on a small model and pictures of its own (\(ranks), seed \(runs.seed)).\n")
        try makeFiles()
        say(
            """
            2  Warm-up: supervised training on \(data.labels.count) pictures, labelled by a careless annotator, who in \
            \(DemoLabel.carelessness) % of them
               writes down the usual colour of each shape, not the one to be seen. The model learns to hallucinate it.
            """)
        let warmup = try train("warmup")
        try mineGroups()
        say("4  DPO: two answers to one picture, the true one and the false one.")
        let dpo = try train("dpo")
        say("5  MISP-DPO: that, and the true answer to one picture and to the three for which it is false.")
        let misp = try train("misp")
        say("6  Evaluation on pictures of scenes that no training saw.\n")
        let table = DemoTable(columns: [
            try column("warm-up", warmup, sequences: 1, model: "warmup/model"),
            try column("DPO", dpo, sequences: 2, model: "warmup/model", adapter: "dpo/adapter"),
            try column("MISP-DPO", misp, sequences: 5, model: "warmup/model", adapter: "misp/adapter"),
        ])
        for line in table.lines { say(line) }
        try onFirstRank { try FileOutput.write("\(table.json)\n", to: runs.file("results.json")) }
        say(
            """

            Done in \(Progress.duration(clock.lap())). Pictures, data, models and metrics are in \
            \(runs.folder.relativePath).
            A stage by itself: \(Program.name) train --config \(runs.file("misp.yaml").relativePath) --overwrite
            Another seed: \(Program.name) --seed \(runs.seed + 1)
            """)
    }

    private func makeFiles() throws {
        say(
            "1  \(data.labels.count + 4 * data.groups.count + data.questions.count) pictures of two coloured shapes, "
                + "and a model of LLaVA's shape with random weights.")
        try onFirstRank { try runs.prepareFolder() }
        try data.writePictures(to: runs.folder, communicator)
        try onFirstRank {
            try data.writeLabels(to: runs.file("warmup.jsonl"))
            try data.writeQuestions(to: runs.file("eval.jsonl"))
            try DemoModel.write(to: runs.file("initial"), seed: runs.seed)
            try runs.writeConfigurations()
        }
    }

    /// The false answer that the warmed-up model finds most probable becomes the rejected one.
    private func mineGroups() throws {
        say(
            """
            3  \(data.groups.count) preference groups: a picture, a true answer, the likeliest false one, and three \
            pictures that differ in an
               object, a colour or a place, so that the true answer is false for them.
            """)
        let answerer = try communicator.agree { try DemoAnswerer(model: runs.file("warmup/model"), adapter: nil) }
        let rejected = try answerer.answers(data.groups, from: 1, communicator: communicator) {
            runs.file(DemoData.groupPicture($0))
        }
        try onFirstRank { try data.writeGroups(rejecting: rejected, to: runs.file("groups.jsonl")) }
    }

    private typealias Training = (steps: Int, groupsPerStep: Int, seconds: Double)

    /// Collective. What `misp-worker train --config NAME.yaml` does.
    private func train(_ name: String) throws -> Training {
        var clock = Stopwatch()
        let configuration = try communicator.agree {
            try RunConfiguration(contentsOf: runs.file("\(name).yaml"))
        }
        var run = try TrainingRun(configuration, communicator: communicator)
        try run.execute()
        let order = StepOrder(groups: run.train.groups.count, configuration)
        return (order.totalSteps, order.groupsPerStep, clock.lap())
    }

    /// Collective. Lets a model answer the held-out questions.
    private func column(
        _ name: String, _ training: Training, sequences: Int, model: String, adapter: String? = nil
    ) throws -> DemoTable.Column {
        let answerer = try communicator.agree {
            try DemoAnswerer(model: runs.file(model), adapter: adapter.map(runs.file))
        }
        let answers = try answerer.answers(data.questions, communicator: communicator) {
            runs.file(DemoData.questionPicture($0))
        }
        return DemoTable.Column(
            name: name, mistakes: DemoMistakes(data.questions, answers: answers), steps: training.steps,
            groupsPerStep: training.groupsPerStep, sequences: sequences, seconds: training.seconds)
    }

    /// Collective. Files appear once, and every rank knows that they are there.
    private func onFirstRank(_ work: () throws -> Void) throws {
        try communicator.agree { if communicator.rank == 0 { try work() } }
    }

    private func say(_ text: String) {
        guard communicator.rank == 0 else { return }
        StandardStreams.show("\(text)\n")
    }
}
