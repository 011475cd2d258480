import Coordinator
import Core
import Foundation

/// What a run computes from its model and its pictures once, in parallel, for all its ranks and for later runs:
/// features of pictures, and the reference's log-probabilities (docs/output.md, caches).
///
/// Everything is kept by the content that it is computed from. A file that changed has another key, so nothing stale is
/// ever found, and nothing has to be told to forget.
struct RunCaches {
    private let folder: URL
    private let communicator: any Communicator
    private let tell: (String) -> Void
    /// By content of file, crop and noise.
    private let pictures: [ImageSource: Digest]
    let references: LogProbabilityStore?

    /// Collective.
    ///
    /// - Parameters:
    ///   - images: all pictures that the run will ask for
    ///   - input: what the run reads, by content
    ///   - tell: says a line
    init(
        _ run: TrainingRun<some VectorArithmetic>, images: [ImageSource], input: RunInput,
        tell: @escaping (String) -> Void
    ) throws {
        self.tell = tell
        folder = run.configuration.cache.folder
        communicator = run.communicator
        let processor = run.folder.processor
        let digests = Dictionary(
            uniqueKeysWithValues: images.compactMap { image in
                input.pictures[image.path].map { (image, image.digest(of: $0, processor)) }
            })
        pictures = digests
        let place = run.configuration.cache.folder
        let store = place.appending(path: "references")
        try communicator.agree {
            try OutputFolder.make(place, remedy: "set cache.folder, or cache.enabled: false")
        }
        references = try communicator.agree {
            guard run.gradient.objective.needs.reference else { return nil }
            let model = try input.identity("model", of: run.folder.url) { _ in true }
            return try LogProbabilityStore(
                store, model: model, arithmetic: run.configuration.compute.precision.identity, pictures: digests)
        }
        try storeFeatures(run, images, input)
    }

    /// Collective. Computes the features that no earlier run has left and lets the run's model find them all.
    private func storeFeatures(
        _ run: TrainingRun<some VectorArithmetic>, _ images: [ImageSource], _ input: RunInput
    ) throws {
        let cache = run.gradient.policy.images
        let shapes = try communicator.agree { try images.compactMap { try cache.storedShape(of: $0) } }
        guard !images.isEmpty, shapes.count == images.count else { return }
        let bytes = shapes.reduce(0) { $0 + 4 * Double($1.rows) * Double($1.columns) }
        let limit = run.configuration.cache.featureBytes
        guard bytes <= limit else {
            if limit > 0 {
                tell(
                    String(
                        format: "features of %d pictures would take %.1f GiB, more than cache.features_gib: not kept",
                        images.count, bytes / 0x1p30))
            }
            return
        }
        let withConnector = !run.model.encoder.isConnectorTrained
        let names = run.model.configuration.names
        let model = try communicator.agree {
            try input.identity(withConnector ? "projected features" : "features", of: run.folder.url) {
                $0.hasPrefix(names.tower) || (withConnector && $0.hasPrefix(names.connector))
            }
        }
        let place = folder.appending(path: "features")
        let arithmetic = run.configuration.compute.precision.identity
        let keys = pictures.mapValues { picture in
            var hash = SHA256()
            hash.add("misp features 1 \(arithmetic)")
            hash.add(model)
            hash.add(picture)
            return hash.finish()
        }
        let store = try communicator.agree { try RowStore(place) }
        // Hosts may have different caches: only what none of them has to compute is left out. Each of a host's ranks
        // reads its share, so that what is damaged is known now and computed in parallel.
        let (localRank, localSize) = (communicator.localRank, communicator.localSize)
        let wanted = try communicator.max(
            images.enumerated().map { place, image in
                guard let key = keys[image] else { return 0 }
                let isThere = place % localSize == localRank ? store[key] != nil : store.contains(key)
                return isThere ? 0.0 : 1
            })
        try tellOfDamage(store.damaged, in: place)
        try compute(images.indices.filter { wanted[$0] > 0 }.map { images[$0] }, keys, cache, into: store)
        cache.read(from: store, keys: keys)
    }

    /// Collective. Each rank its share; afterwards every rank finds them all.
    private func compute(
        _ missing: [ImageSource], _ keys: [ImageSource: Digest], _ cache: FeatureCache<some VectorArithmetic>,
        into store: RowStore
    ) throws {
        var progress = PhaseProgress(
            "features of pictures", of: missing.count, isTold: communicator.rank == 0 && !missing.isEmpty)
        let names = try communicator.agree {
            let writer = RowStore.Writer(store.folder)
            try writer.flushing {
                for index in communicator.share(of: missing.count) {
                    try Interruption.check("while features of pictures were computed")
                    guard let key = keys[missing[index]] else { continue }
                    let part = try cache.compute(missing[index]).fixedPart
                    try writer.add(part.reshaped(1, part.count), for: key)
                    Pulse.note()
                    progress.update(min(index + communicator.size, missing.count))
                }
            }
            return writer.names
        }
        for list in try communicator.allGather(Data(names.joined(separator: "\n").utf8)) {
            for name in String(decoding: list, as: UTF8.self).split(separator: "\n") {
                // A file that this host cannot see holds features that it computes again.
                if FileManager.default.fileExists(atPath: store.folder.appending(path: String(name)).path) {
                    try store.add(String(name))
                }
            }
        }
    }

    /// Collective. What was found damaged among the reference's log-probabilities since the last call.
    func tellOfDamagedReferences() throws {
        try tellOfDamage(Array(references?.takeDamaged() ?? []), in: folder.appending(path: "references"))
    }

    /// Collective. What lies in a cache and is of no use, as any rank has found.
    private func tellOfDamage(_ faults: [String], in place: URL) throws {
        let all = try communicator.allGather(Data(faults.joined(separator: "\n").utf8)).flatMap {
            String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let different = Set(all).sorted()
        for fault in different.prefix(3) { tell("passing over \(place.relativePath)/\(fault); it is computed again") }
        if different.count > 3 { tell("passing over \(different.count - 3) more in \(place.relativePath)") }
    }
}

extension ImageSource {
    /// - Parameter content: of the file
    fileprivate func digest(of content: Digest, _ processor: any PictureProcessor) -> Digest {
        var hash = SHA256()
        hash.add(content)
        if processor.transparency == .white { hash.add("over white") }
        if !processor.settings.isEmpty { hash.add(processor.settings) }
        if let crop { hash.add("crop \([crop.area, crop.aspect, crop.x, crop.y].map(\.bitPattern))") }
        if let noise { hash.add("noise \(noise.seed) \(noise.step) \(noise.group)") }
        return hash.finish()
    }
}
