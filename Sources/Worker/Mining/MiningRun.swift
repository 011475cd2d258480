import Coordinator
import Core
import Foundation

/// A mining of negatives from its configuration to its results; the same on every rank.
struct MiningRun {
    let configuration: MineConfiguration
    let communicator: any Communicator
    /// Whether groups of an earlier mining may be replaced by others.
    let overwrites: Bool

    private var isFirst: Bool { communicator.rank == 0 }

    /// Collective.
    func execute() throws {
        Interruption.watch()
        BLAS.setThreads(configuration.threads)
        try onFirstRank { try checkEarlier() }
        let input = try MiningInput.read(configuration, communicator)
        configuration.precision.tell(communicator)
        let embedder = try communicator.agree { try makeEmbedder(configuration.precision.arithmetic) }
        // Before the pictures: a prompt that is too long is known at once.
        let table = try communicator.agree { try PromptTable(input.groups, configuration, embedder) }
        try onFirstRank { try prepareOutput(input) }

        let stage = try EmbeddingStage(
            embedder, of: configuration.model, store: configuration.store,
            transparency: configuration.data.transparency, precision: configuration.precision,
            communicator: communicator)
        var pictures = try PictureTable(input, configuration, stage, communicator)
        let texts = try stage.prompts(table.tokens)
        try tell(stage)
        let identity = identity(input, pictures, texts)
        try onFirstRank { try checkEarlier(identity) }
        let embeddings = try writeEmbeddings(pictures, texts, stage)
        try pictures.barNearExcluded(
            embeddings, limit: configuration.duplicateCosine, stage, communicator)

        let answers = SharedAnswers(input.groups, pictures)
        let (groups, prompts) = prompts(input, table, pictures, answers)
        try communicator.agree { try checkEnough(prompts, pictures) }

        let autoencoder = try AutoencoderStage(configuration, communicator).run(
            embeddings, prompts, content: pictures.keys + texts + [answers.digest])
        let shown = Array(groups.prefix(configuration.pageGroups))
        let phrases =
            configuration.embedder == .clip && !shown.isEmpty ? try PhraseTable(shown, stage, communicator) : nil
        let miner = NegativeMiner(
            configuration: configuration, images: embeddings.images, texts: embeddings.texts, prompts: prompts,
            pictures: pictures, groups: groups, phrases: phrases, communicator: communicator)
        let mined = try miner.mine(autoencoder?.weights)
        let factors = LatentFactors(mined, groups, input.captions, pictures)
        let statistics = MiningStatistics(
            configuration, input: input, groups: groups.count, pictures: pictures, table: table,
            training: autoencoder?.summary, picks: mined.groups.map(\.statistics), factors: factors,
            phrases: phrases, entries: mined.groups.compactMap(\.entry))
        try onFirstRank {
            try write(mined.groups, groups, statistics, identity)
            let pages = MiningPages(
                configuration: configuration, mined: mined.groups, groups: groups, pictures: pictures, factors: factors,
                training: autoencoder?.summary, hubs: statistics.hubs)
            let names = try pages.write(embeddings.images)
            Console.say(
                "wrote \((["groups.jsonl", "statistics.json"] + names).joined(separator: ", ")) in "
                    + configuration.output.relativePath)
            Console.show(statistics.lines)
        }
    }

    /// Ends the run where a signal has asked for it. What one rank throws between collective calls all ranks hear of.
    static func endIfAsked(_ store: URL) throws(MISPError) {
        guard Interruption.isAsked else { return }
        throw MISPError(
            "stopped; the embeddings computed so far are kept", at: store.relativePath,
            remedy: "resume with the same command", kind: .interrupted)
    }

    /// The groups that have a picture, and what they ask of the gallery.
    private func prompts(
        _ input: MiningInput, _ table: PromptTable, _ pictures: PictureTable, _ answers: SharedAnswers
    ) -> ([MiningInput.Group], [MiningPrompt]) {
        var (groups, prompts) = ([MiningInput.Group](), [MiningPrompt]())
        for (group, place) in zip(input.groups, table.places) {
            guard let row = pictures.row(of: group.image) else { continue }
            groups.append(group)
            prompts.append(
                MiningPrompt(
                    id: group.id, positive: row, text: place, excluded: pictures.barred,
                    sameAnswer: answers.rows(of: group)))
        }
        return (groups, prompts)
    }

    private func makeEmbedder<A: VectorArithmetic>(_ arithmetic: A.Type) throws -> any Embedder {
        switch configuration.embedder {
        case .clip: try ClipModel(folder: configuration.model, pictures: configuration.pictures, as: A.self)
        case .vision: try VisionEmbedder(folder: configuration.model, pictures: configuration.pictures, as: A.self)
        }
    }

    private var groupsFile: URL { configuration.output.appending(path: "groups.jsonl") }

    /// Of the configuration, what decides the groups: neither where things lie, nor threads, nor the page.
    private static func deciding(_ configuration: MineConfiguration) -> JSON {
        configuration.json.without([
            "output", "store", "compute.threads", "page_groups", "model.path", "data.prompts", "data.gallery",
            "data.exclude", "data.images",
        ])
    }

    /// Groups that are there are those of this configuration, or may be replaced.
    private func checkEarlier() throws {
        guard !overwrites, FileManager.default.fileExists(atPath: groupsFile.path) else { return }
        let before = try? MineConfiguration(contentsOf: configuration.output.appending(path: "config.yaml"))
        let difference = Self.deciding(configuration).firstDifference(from: before.map(Self.deciding))
        guard let (key, _, _) = difference else { return }
        throw earlier("with another \(key.isEmpty ? "configuration" : key)")
    }

    /// And they are those of this input: the same groups come out again.
    private func checkEarlier(_ identity: Digest) throws {
        guard !overwrites, FileManager.default.fileExists(atPath: groupsFile.path) else { return }
        let before = try? JSON(contentsOf: configuration.output.appending(path: "statistics.json"))["input"]?.string
        guard before != identity.description else { return }
        throw earlier("from other pictures or groups")
    }

    private func earlier(_ how: String) -> MISPError {
        MISPError(
            "was mined \(how), and would be replaced", at: groupsFile.relativePath,
            remedy: "choose another output, or let it be replaced by --overwrite")
    }

    /// Everything that the groups depend on.
    private func identity(_ input: MiningInput, _ pictures: PictureTable, _ texts: [Digest]) -> Digest {
        var hash = SHA256()
        // Earlier versions had float32 alone, and said nothing of it.
        let deciding = Self.deciding(configuration)
        hash.add("\(configuration.precision == .float32 ? deciding.without(["compute"]) : deciding)")
        for group in input.groups {
            for text in [group.id, group.prompt, group.chosen, group.rejected ?? ""] { hash.add(text) }
            hash.add("\(pictures.row(of: group.image) ?? -1)")
        }
        for key in pictures.keys + texts { hash.add(key) }
        hash.add("\(pictures.barred.sorted())")
        return hash.finish()
    }

    private func prepareOutput(_ input: MiningInput) throws {
        try OutputFolder.make(configuration.output)
        try FileOutput.write(
            configuration.yaml(environment: RunConfiguration.Environment.current(ranks: communicator.size)),
            to: configuration.output.appending(path: "config.yaml"))
        let ranks = communicator.size == 1 ? "1 rank" : "\(communicator.size) ranks"
        Console.say(
            "negatives for \(input.groups.count) groups by \(configuration.strategy.rawValue), \(ranks); embeddings by "
                + "\(configuration.embedder.rawValue)")
    }

    private func tell(_ stage: EmbeddingStage) throws {
        var computed = [Double(stage.computed)]
        try communicator.combine(&computed, .sum)
        let faults = try communicator.allGather(Data(stage.store.damaged.joined(separator: "\n").utf8)).flatMap {
            String(decoding: $0, as: UTF8.self).split(separator: "\n")
        }
        guard isFirst else { return }
        for fault in Set(faults).sorted() { Console.say("passing over a damaged file of \(fault)") }
        Console.say("embeddings: \(Int(computed[0])) computed, all others were in \(stage.store.folder.relativePath)")
    }

    struct Embeddings {
        /// n × d_v and m × d_t, mapped: the ranks of a host share one copy.
        let images, texts: Matrix<Float>
        /// What the images were centred by.
        let centre: EmbeddingCentre?
    }

    /// Collective. The rows of the store side by side, in a file that every rank maps.
    private func writeEmbeddings(
        _ pictures: PictureTable, _ texts: [Digest], _ stage: EmbeddingStage
    ) throws -> Embeddings {
        let file = configuration.output.appending(path: "embeddings.safetensors")
        try onFirstRank {
            func gathered(_ keys: [Digest], _ width: Int) throws -> Matrix<Float> {
                let matrix = Matrix<Float>(zeros: keys.count, width)
                for (row, key) in keys.enumerated() {
                    matrix.rows(row..<row + 1).copyElements(of: try stage.row(key))
                }
                return matrix
            }
            var tables = [
                ("images", try gathered(pictures.keys, stage.embedder.imageWidth)),
                ("texts", try gathered(texts, stage.embedder.textWidth)),
            ]
            if configuration.isCentered {
                let images = tables[0].1
                let centre = EmbeddingCentre(of: images, members: pictures.paths.indices.filter(pictures.isInGallery))
                centre.centre(images)
                tables.append(("centre", centre.mean))
            }
            try SafetensorsWriter.write(
                tables.map { .init(name: $0, shape: [$1.rows, $1.columns], matrix: $1) }, to: file)
        }
        return try communicator.agree {
            let tensors = try SafetensorsFile(contentsOf: file).tensors
            func matrix(_ name: String) throws -> Matrix<Float> {
                guard let tensor = tensors[name] else { throw MISPError("lacks \(name)", at: file.relativePath) }
                return Weight<Float>(stored: tensor, rows: tensor.shape[0], columns: tensor.shape[1]).matrix
            }
            return Embeddings(
                images: try matrix("images"), texts: try matrix("texts"),
                centre: configuration.isCentered ? EmbeddingCentre(mean: try matrix("centre")) : nil)
        }
    }

    /// What no group can have is said before the autoencoder is trained.
    private func checkEnough(_ prompts: [MiningPrompt], _ pictures: PictureTable) throws(MISPError) {
        guard !prompts.isEmpty else {
            throw MISPError("no group has a readable picture", at: configuration.data.prompts.relativePath)
        }
        guard configuration.strategy != .perturb else { return }
        let place = (configuration.data.gallery ?? configuration.data.prompts).relativePath
        let candidates = pictures.paths.count - pictures.barred.count
        guard candidates < configuration.pool else { return }
        throw MISPError(
            "the gallery has \(candidates) different pictures to choose from, fewer than the pool of "
                + "\(configuration.pool)", at: place, remedy: "give a larger gallery, or lower pool")
    }

    private func write(
        _ mined: [MinedGroup], _ groups: [MiningInput.Group], _ statistics: MiningStatistics, _ identity: Digest
    ) throws {
        let folder = configuration.output
        let partial = folder.appending(path: "groups.jsonl.partial")
        try FileOutput.create(partial) { output in
            for group in mined {
                let source = groups[group.index]
                var line: [UInt8] = []
                group.json(source, image: NegativeMiner.relative(source.image, to: configuration.data.images))
                    .write(into: &line)
                line.append(UInt8(ascii: "\n"))
                try line.withUnsafeBytes { try output.write($0) }
            }
        }
        try FileOutput.move(partial, to: groupsFile)
        var figures = statistics.json.object ?? .init()
        figures["input"] = .string(identity.description)
        try FileOutput.write("\(JSON.object(figures))\n", to: folder.appending(path: "statistics.json"))
    }

    /// Collective. Files appear once, and every rank knows that they are there.
    private func onFirstRank(_ work: () throws -> Void) throws {
        try communicator.agree { if isFirst { try work() } }
    }
}
