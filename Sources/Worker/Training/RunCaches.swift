import Coordinator
import Core
import Foundation

/// What a run computes from its model and its pictures once, in parallel, for all its ranks and for later runs: features
/// of pictures, and the reference's log-probabilities (docs/output.md, caches).
///
/// Everything is kept by the content that it is computed from. A file that changed has another key, so nothing stale is
/// ever found, and nothing has to be told to forget.
struct RunCaches {
    private let folder: URL
    private let communicator: any Communicator
    /// By content of file, crop and noise.
    private let pictures: [ImageSource: Digest]
    let references: LogProbabilityStore?

    /// Collective.
    ///
    /// - Parameters:
    ///   - images: all pictures that the run will ask for
    ///   - tell: says a line
    init(_ run: TrainingRun, images: [ImageSource], tell: (String) -> Void) throws {
        folder = run.configuration.cache.folder
        communicator = run.communicator
        let digests = try Self.digests(of: images, run.configuration.data.transparency, run.communicator)
        pictures = digests
        let identity = WeightIdentity(folder: folder, communicator: run.communicator)
        if run.gradient.objective.usesReference {
            let model = try identity.digest("model", of: run.folder.url) { _ in true }
            let store = folder.appending(path: "references")
            references = try communicator.agree { try LogProbabilityStore(store, model: model, pictures: digests) }
        } else {
            references = nil
        }
        try storeFeatures(run, images, identity, tell)
    }

    /// Collective. Computes the features that no earlier run has left and lets the run's model find them all.
    private func storeFeatures(
        _ run: TrainingRun, _ images: [ImageSource], _ identity: WeightIdentity, _ tell: (String) -> Void
    ) throws {
        let cache = run.gradient.images
        guard !images.isEmpty, let shape = cache.featureShape else { return }
        let bytes = Double(images.count) * Double(4 * shape.rows * shape.columns)
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
        let withProjector = !run.model.projector.isTrained
        let model = try identity.digest(withProjector ? "projected features" : "features", of: run.folder.url) {
            $0.hasPrefix("vision_tower.") || (withProjector && $0.hasPrefix("multi_modal_projector."))
        }
        let place = folder.appending(path: "features")
        let keys = pictures.mapValues { picture in
            var hash = SHA256()
            hash.add("misp features 1 \(BLAS.arithmetic)")
            hash.add(model)
            hash.add(picture)
            return hash.finish()
        }
        let store = try communicator.agree { try RowStore(place) }
        // Hosts may see different files: only what none of them has to compute is left out.
        let wanted = try communicator.max(
            images.map { image in keys[image].map { store.contains($0) ? 0.0 : 1 } ?? 0 })
        let missing = images.indices.filter { wanted[$0] > 0 }.map { images[$0] }
        var progress = PhaseProgress(
            "features of pictures", of: missing.count, isTold: communicator.rank == 0 && !missing.isEmpty)
        let names = try communicator.agree {
            let writer = RowStore.Writer(place, width: shape.rows * shape.columns)
            for index in stride(from: communicator.rank, to: missing.count, by: communicator.size) {
                guard let key = keys[missing[index]] else { continue }
                try writer.add(try cache.compute(missing[index]).reshaped(1, shape.rows * shape.columns), for: key)
                Pulse.note()
                progress.update(min(index + communicator.size, missing.count))
            }
            try writer.flush()
            return writer.names
        }
        for list in try communicator.allGather(Data(names.joined(separator: "\n").utf8)) {
            for name in String(decoding: list, as: UTF8.self).split(separator: "\n") {
                // A file that this host cannot see holds features that it computes again.
                if FileManager.default.fileExists(atPath: place.appending(path: String(name)).path) {
                    try store.add(String(name))
                }
            }
        }
        cache.read(from: store, keys: keys)
    }

    /// Collective. Each rank reads its share of the files.
    private static func digests(
        of images: [ImageSource], _ transparency: Transparency, _ communicator: any Communicator
    ) throws -> [ImageSource: Digest] {
        var places: [String: Int] = [:]
        var paths: [String] = []
        for image in images where places[image.path] == nil {
            places[image.path] = paths.count
            paths.append(image.path)
        }
        let mine = try communicator.agree {
            var bytes = Data()
            for index in stride(from: communicator.rank, to: paths.count, by: communicator.size) {
                let file = try MappedFile(URL(filePath: paths[index]))
                bytes += SHA256.digest(UnsafeRawBufferPointer(start: file.base, count: file.count)).bytes
                Pulse.note()
            }
            return bytes
        }
        let all = try communicator.allGather(mine)
        return Dictionary(
            uniqueKeysWithValues: images.map { image in
                let index = places[image.path] ?? 0
                let start = index / communicator.size * Digest.size
                let content = Digest(
                    bytes: all[index % communicator.size].dropFirst(start).prefix(Digest.size))
                return (image, image.digest(of: content, transparency))
            })
    }
}

extension ImageSource {
    /// - Parameter content: of the file
    fileprivate func digest(of content: Digest, _ transparency: Transparency) -> Digest {
        var hash = SHA256()
        hash.add(content)
        if transparency == .white { hash.add("over white") }
        if let crop { hash.add("crop \([crop.area, crop.aspect, crop.x, crop.y].map(\.bitPattern))") }
        if let noise { hash.add("noise \(noise.seed) \(noise.step) \(noise.group)") }
        return hash.finish()
    }
}
