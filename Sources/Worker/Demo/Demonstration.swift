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
        data = DemoData(seed: seed, size: size)
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
        try makeGroups()
        let seconds = try mine()
        var columns = [try column("warm-up", warmup, adapter: nil)]
        for (index, arm) in DemoArm.all.enumerated() {
            say("\(5 + index)  \(arm.name): \(index == 0 ? "" : "that, and ")\(arm.adds).")
            columns.append(try column(arm.name, try train(arm.key), adapter: "\(arm.key)/adapter"))
        }
        let table = DemoTable(columns: columns, minedIn: seconds)
        say("\nOn pictures of scenes that no training saw:\n")
        for line in table.lines { say(line) }
        try onFirstRank {
            try FileOutput.write("\(table.json)\n", to: runs.file("results.json"))
            let story = try DemoStory(runs: runs, data: data).html
            try DemoPage(table, data, seed: runs.seed, story: story).write(to: runs.file("index.html"))
        }
        say(
            """

            Done in \(Progress.duration(clock.lap())). Look at \(runs.file("index.html").relativePath): what each \
            model says of the same pictures.
            Pictures, data, models and metrics are beside it.
            A stage by itself: \(Typed.program) train --config \(runs.file("misp.yaml").relativePath) --overwrite
            Another seed: \(Typed.program) demo --seed \(runs.seed + 1)
            """)
    }

    private func makeFiles() throws {
        let pictures = data.labels.count + data.gallery.count + data.groups.count + data.questions.count
        say("1  \(pictures) pictures of two coloured shapes, and a model of LLaVA's shape with random weights.")
        try onFirstRank { try runs.prepareFolder() }
        try data.writePictures(to: runs.folder, communicator)
        try onFirstRank {
            try data.writeLabels(to: runs.file("warmup.jsonl"))
            try data.writeCaptions(to: runs.file("captions.jsonl"))
            try data.writeQuestions(to: runs.file("eval.jsonl"))
            try DemoModel.write(to: runs.file("initial"), seed: runs.seed)
            try DemoClip.write(to: runs.file("clip"))
            try runs.writeConfigurations()
        }
    }

    /// The false answer that the warmed-up model finds most probable becomes the rejected one.
    private func makeGroups() throws {
        let mined = data.groups.count { $0.kind.takesNegatives }
        say(
            """
            3  \(data.groups.count) preference groups: a picture, a true answer, and the false one that the model \
            finds likeliest.
               \(mined) answers are descriptions, which are wrong for most other pictures; the others say yes or no.
            """)
        let answerer = try communicator.agree { try DemoAnswerer(model: runs.file("warmup/model"), adapter: nil) }
        let rejected = try answerer.answers(data.groups, from: 1, communicator: communicator) {
            runs.file(DemoData.groupPicture($0))
        }
        try onFirstRank {
            let rows = data.rows(rejecting: rejected)
            try DemoData.write(rows, to: runs.file("groups.jsonl"))
            try DemoData.write(data.prompts(rows), to: runs.file("prompts.jsonl"))
        }
    }

    /// Collective. Trains CLIP, mines with it, and draws the same number of pictures at random.
    ///
    /// - Returns: what both took
    private func mine() throws -> (clip: Double, mining: Double) {
        var clock = Stopwatch()
        say(
            """
            4  Negatives: a small CLIP learns from \(data.gallery.count) pictures and their captions; a sparse \
            autoencoder finds in its space
               \(DemoArm.pool) pictures for each description; as many are taken at random.
            """)
        try DemoClip.train(
            runs.file("clip"), on: data.captioned(in: runs.folder), seed: runs.seed, epochs: runs.size.epochs.clip,
            communicator: communicator)
        let clip = clock.lap()
        try mine("mine")
        let mining = clock.lap()
        try onFirstRank { try DemoRuns.shareAutoencoder(from: runs.file("mining"), with: runs.file("mining-random")) }
        try mine("mine-random")
        try onFirstRank {
            let rows = try DemoData.read(runs.file("groups.jsonl"))
            for (kind, folder) in [(DemoArm.Negatives.mined, "mining"), (.random, "mining-random")] {
                let mined = try data.rows(rows, with: runs.file("\(folder)/groups.jsonl"))
                try DemoData.write(mined, to: runs.file("groups-\(kind.rawValue).jsonl"))
            }
        }
        return (clip, mining)
    }

    /// Collective. What `misp-worker mine --config NAME.yaml` does.
    private func mine(_ name: String) throws {
        let configuration = try communicator.agree {
            try MineConfiguration(contentsOf: runs.file("\(name).yaml"))
        }
        try MiningRun(configuration: configuration, communicator: communicator, overwrites: true).execute()
    }

    private typealias Training = (steps: Int, groupsPerStep: Int, seconds: Double)

    /// Collective. What `misp-worker train --config NAME.yaml` does.
    private func train(_ name: String) throws -> Training {
        var clock = Stopwatch()
        let configuration = try communicator.agree {
            try RunConfiguration(contentsOf: runs.file("\(name).yaml"))
        }
        let order = try configuration.train(communicator: communicator)
        return (order.totalSteps, order.groupsPerStep, clock.lap())
    }

    /// Collective. Lets the warmed-up model, with an adapter if one is named, answer the held-out questions.
    private func column(_ name: String, _ training: Training, adapter: String?) throws -> DemoTable.Column {
        let answerer = try communicator.agree {
            try DemoAnswerer(model: runs.file("warmup/model"), adapter: adapter.map(runs.file))
        }
        let answers = try answerer.answers(data.questions, communicator: communicator) {
            runs.file(DemoData.questionPicture($0))
        }
        return DemoTable.Column(
            name: name, mistakes: DemoMistakes(data.questions, answers: answers), steps: training.steps,
            groupsPerStep: training.groupsPerStep, seconds: training.seconds)
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
