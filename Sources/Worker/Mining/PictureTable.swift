import Coordinator
import Core
import Foundation

/// The pictures of a mining, each content once, as rows of a table of embeddings.
struct PictureTable {
    struct Unreadable {
        let image: String
        let reason: String

        var json: JSON { ["image": .string(image), "reason": .string(reason)] }
    }

    /// By row the first path with that content: the gallery's first, then positives that are not in the gallery.
    private(set) var paths: [String] = []
    private(set) var keys: [Digest] = []
    /// Rows that are nobody's negatives: positives outside the gallery, and what the list of exclusions names.
    private(set) var barred: Set<Int> = []
    /// Files of the gallery.
    let galleryFiles: Int
    private(set) var unreadable: [Unreadable] = []
    /// Files of the gallery with the content of an earlier one.
    private(set) var repeated = 0
    /// Rows that the list of exclusions bars, by content or by nearness.
    private(set) var excluded = 0
    private var galleryRows = 0
    private var rows: [String: Int] = [:]
    private let excludedKeys: [Digest]

    /// Collective: embeds all pictures.
    ///
    /// - Throws: when more than the allowed share is unreadable, or nothing is left.
    init(
        _ input: MiningInput, _ configuration: MineConfiguration, _ stage: EmbeddingStage,
        _ communicator: any Communicator
    ) throws {
        var seen: Set<String> = []
        let gallery = input.gallery.filter { seen.insert($0).inserted }
        let positives = input.groups.map(\.image).filter { seen.insert($0).inserted }
        let outcomes = try stage.pictures(gallery + positives, "embedding pictures")
        galleryFiles = gallery.count
        excludedKeys = try Self.excluded(input, configuration, stage, communicator)

        var rowOfKey: [Digest: Int] = [:]
        for (index, (path, outcome)) in zip(gallery + positives, outcomes).enumerated() {
            guard case .success(let key) = outcome else {
                if case .failure(let error) = outcome { unreadable.append(.init(image: path, reason: error.what)) }
                continue
            }
            if let row = rowOfKey[key] {
                rows[path] = row
                if index < gallery.count { repeated += 1 }
            } else {
                rowOfKey[key] = paths.count
                rows[path] = paths.count
                if index >= gallery.count { barred.insert(paths.count) } else { galleryRows += 1 }
                paths.append(path)
                keys.append(key)
            }
        }
        try communicator.agree { try checkReadable(of: outcomes.count, configuration) }
        for key in excludedKeys { if let row = rowOfKey[key] { bar(row) } }
    }

    /// Collective. Keys of the pictures that are never to be taken; all of them must be readable, as none may slip
    /// through.
    private static func excluded(
        _ input: MiningInput, _ configuration: MineConfiguration, _ stage: EmbeddingStage,
        _ communicator: any Communicator
    ) throws -> [Digest] {
        guard let list = configuration.data.exclude else { return [] }
        let outcomes = try stage.pictures(input.excluded, "embedding exclusions")
        return try communicator.agree {
            let faults = zip(input.excluded, outcomes).compactMap { path, outcome in
                if case .failure(let error) = outcome { (path, error.what) } else { nil }
            }
            guard let (path, what) = faults.first else { return try outcomes.map { try $0.get() } }
            throw MISPError(
                "\(path): \(what) (unreadable in all: \(faults.count) of \(outcomes.count))", at: list.relativePath,
                remedy: "every picture to be excluded must be readable; relative paths start from data.images")
        }
    }

    private func checkReadable(of total: Int, _ configuration: MineConfiguration) throws(MISPError) {
        let place = (configuration.data.gallery ?? configuration.data.prompts).relativePath
        if Double(unreadable.count) > configuration.maxUnreadable * Double(total), let first = unreadable.first {
            let names = unreadable.prefix(10).map(\.image).joined(separator: ", ")
            let rest = unreadable.count > 10 ? ", …" : ""
            throw MISPError(
                "\(unreadable.count) of \(total) pictures are unreadable, more than max_unreadable "
                    + "\(configuration.maxUnreadable) allows: \(names)\(rest) (the first: \(first.reason))", at: place,
                remedy: "fix or remove them, or raise max_unreadable")
        }
        guard paths.count > barred.count else {
            throw MISPError("no picture of the gallery is readable", at: place, remedy: "give another gallery")
        }
    }

    private mutating func bar(_ row: Int) {
        if barred.insert(row).inserted { excluded += 1 }
    }

    /// Collective. Bars also what is nearly an excluded picture.
    mutating func barNearExcluded(
        _ embeddings: MiningRun.Embeddings, limit: Double, _ stage: EmbeddingStage, _ communicator: any Communicator
    ) throws {
        let images = embeddings.images
        guard !excludedKeys.isEmpty else { return }
        let others = Matrix<Float>(uninitialized: excludedKeys.count, images.columns)
        try communicator.agree {
            for (row, key) in excludedKeys.enumerated() {
                others.rows(row..<row + 1).copyElements(of: try stage.row(key))
            }
        }
        embeddings.centre?.centre(others)
        var near = [Double](repeating: 0, count: images.rows)
        let blocks = NearDuplicates.blocks(images)
        for block in communicator.share(of: blocks) where !Interruption.isAsked {
            for row in NearDuplicates.rows(ofBlock: block, images, near: others, above: Float(limit)) { near[row] = 1 }
        }
        try communicator.agree { try MiningRun.endIfAsked(stage.store.folder) }
        for (row, flag) in try communicator.mergeDisjoint(near).enumerated() where flag > 0 { bar(row) }
    }

    /// Whether a row is of the gallery, rather than of a positive outside it.
    func isInGallery(_ row: Int) -> Bool { row < galleryRows }

    /// The row of a picture by one of its paths; nil for an unreadable one.
    func row(of path: String) -> Int? { rows[path] }
}
